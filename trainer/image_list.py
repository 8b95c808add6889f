"""Reads image lists such as train.txt and val.txt of published datasets."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from scorer.console import quantity
from scorer.errors import BadDataset

_REMEDY = "correct the list, or remove it to use every image of the folder"


def listed(path: Path, present: Sequence[str]) -> Sequence[str]:
    """The present images that a list names, sorted. Raises BadDataset.

    The first word of each line counts, and of it the file name, because lists often contain paths
    of another machine; of images of one name, the folders decide. A name without a suffix matches
    the file name without its suffix.
    """
    by_name, by_stem = (_by(key, present) for key in ("name", "stem"))
    known = set(present)
    found, missing = set(), set()
    for line in _lines(path):
        word = line.replace("\\", "/")
        last = PurePosixPath(word).name
        alike = [word] if word in known else by_name.get(last) or by_stem.get(last, [])
        if not alike:
            missing.add(last)
        else:
            found.add(_fitting(word, alike, path))
    if missing:
        raise BadDataset(
            f"{path} names {quantity(len(missing), 'missing image')}, such as {min(missing)}",
            remedy=_REMEDY,
        )
    return sorted(found)


def _by(key: str, present: Sequence[str]) -> dict[str, list[str]]:
    """The present images by the name or the stem of their files."""
    found: dict[str, list[str]] = {}
    for name in present:
        found.setdefault(getattr(PurePosixPath(name), key), []).append(name)
    return found


def _fitting(word: str, alike: list[str], path: Path) -> str:
    """The image of several of one name whose folders are those of the line. Raises BadDataset."""
    if len(alike) == 1:
        return alike[0]
    folders = PurePosixPath(word).parent.parts
    fitting = []
    for name in alike:
        own = PurePosixPath(name).parent.parts
        common = min(len(own), len(folders))
        if own[len(own) - common :] == folders[len(folders) - common :] and common:
            fitting.append(name)
    if len(fitting) != 1:
        raise BadDataset(
            f"{path} names {word}, which may be any of {', '.join(sorted(alike))}",
            remedy="name images in the list with their folders",
        )
    return fitting[0]


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy=_REMEDY) from error
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not words:
        raise BadDataset(f"{path} names no image", remedy=_REMEDY)
    return words
