"""The images that a list names: train.txt, val.txt, as datasets come with them."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from scorer.errors import BadDataset

_REMEDY = "correct the list, or remove it to use every image of the folder"


def listed(path: Path, present: Sequence[str]) -> Sequence[str]:
    """Those of the images that are present which a list names, sorted. Raises BadDataset.

    Of each line the first word counts; of that its file name, for such lists travel with the paths
    of the machine they were made on; and where it has no suffix, the name without it.
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
