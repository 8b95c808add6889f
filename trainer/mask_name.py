"""Names of mask files: derived from the image's name by a pattern such as {stem}_mask.png.

{stem} is the image's file name without its suffix, {name} the file name with it.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

PATTERN = "{stem}.png"
_TRIED = 50  # images that a pattern is tried on
_COMPARED = 5  # images whose names are searched for in the names of all masks
_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg")  # suffixes of possible masks
# Parts of the names of masks that are stored beside their images.
_WORDS = ("mask", "label", "seg", "annot", "groundtruth", "_gt", "-gt", "_l.", "_color", "_colour")


@cache  # cached, so that two datasets of one file are equal
def of(pattern: str) -> Callable[[str], str]:
    """A function from the path of an image to the path of its mask."""

    def name(image: str) -> str:
        path = PurePosixPath(image)
        last = pattern.replace("{stem}", path.stem).replace("{name}", path.name)
        return path.with_name(last).as_posix()

    return name


def is_pattern(text: str) -> bool:
    """Whether a text is a valid pattern: it names different masks for different images of a
    folder.
    """
    return ("{stem}" in text or "{name}" in text) and "/" not in text


def guess(images: Sequence[str], masks: Path, *, mixed: bool = False) -> str | None:
    """The pattern by which most of the first images have a mask; None if none has one.

    mixed: whether the masks are stored among the images.
    """
    found: Counter[str] = Counter()
    for image in images[:_COMPARED]:
        path = PurePosixPath(image)
        for file in _files(masks / path.parent):
            if path.stem in file and not (mixed and file == path.name):
                pattern = file.replace(path.stem, "{stem}", 1)
                own = file.replace(path.name, "{name}", 1)
                found[pattern if own == file else own] += 1
    found[PATTERN] += 0 if mixed else 1
    tried = images[:_TRIED]
    hits = {
        pattern: sum((masks / of(pattern)(image)).is_file() for image in tried)
        for pattern in found
        if not mixed or any(word in pattern.lower() for word in _WORDS)
    }
    best = max(hits, key=lambda one: (hits[one], one == PATTERN, -len(one)), default=None)
    return best if best is not None and hits[best] else None


def without_masks(names: Sequence[str], pattern: str) -> list[str]:
    """The images of a folder that also contains their masks."""
    masks = {of(pattern)(name) for name in names}
    return [name for name in names if name not in masks]


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [one.name for one in found if one.name.lower().endswith(_SUFFIXES)]
    except OSError:
        return []
