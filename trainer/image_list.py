"""Reads image lists such as train.txt and val.txt of published datasets."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from scorer.errors import BadDataset

_REMEDY = "correct the list, or remove it to use every image of the folder"


def listed(path: Path, present: Sequence[str]) -> Sequence[str]:
    """The present images that a list names, sorted. Raises BadDataset.

    The first word of each line counts, and of it the file name, because lists often contain paths
    of another machine. A name without a suffix matches the file name without its suffix.
    """
    by_name = {PurePosixPath(name).name: name for name in reversed(present)}
    by_stem = {PurePosixPath(name).stem: name for name in reversed(present)}
    known = set(present)
    found, missing = set(), set()
    for line in _lines(path):
        word = line.replace("\\", "/")
        last = PurePosixPath(word).name
        name = word if word in known else by_name.get(last, by_stem.get(last))
        if name is None:
            missing.add(last)
        else:
            found.add(name)
    if missing:
        raise BadDataset(
            f"{path} names {len(missing)} images that are missing, such as {min(missing)}",
            remedy=_REMEDY,
        )
    return sorted(found)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy=_REMEDY) from error
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not words:
        raise BadDataset(f"{path} names no image", remedy=_REMEDY)
    return words
