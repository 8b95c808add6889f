"""The layout of ADE20K in its scene parsing benchmark: images/ and annotations/, 150 classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scorer.errors import BadDataset
from scorer.images.colours import default_colours, hexadecimal
from scorer.pools import list_pool
from trainer import masks
from trainer.layouts.layout import Layout
from trainer.split import Split

_COUNT = 150
_FOLDERS = {"train": "training", "val": "validation"}
_NAMES = "objectInfo150.txt"  # comes with the dataset
# Mask value 0 is 'other'.
_IDS = {0: masks.IGNORE, 255: masks.IGNORE} | {value + 1: value for value in range(_COUNT)}


def found(root: Path) -> Path | None:
    """ADEChallengeData2016 itself, or the folder that holds it."""
    for place in (root, root / "ADEChallengeData2016"):
        if all((place / kind / "training").is_dir() for kind in ("images", "annotations")):
            return place
    return None


def classes(root: Path) -> Mapping[str, Any]:
    """[classes] of dataset.toml, with names from the dataset's list or, without it, numbers."""
    path = root / _NAMES
    names = _names(path) if path.is_file() else [f"class {n}" for n in range(1, _COUNT + 1)]
    colours = [hexadecimal(one) for one in default_colours(_COUNT)]
    return {"names": names, "colours": colours, "ignore": 255}


def split(root: Path, name: str) -> Split | None:
    """A split, whose mask values count from 1. Raises BadDataset where the masks are not of this
    layout.
    """
    images = root / "images" / _FOLDERS[name]
    if not images.is_dir():
        return None
    made = Split(images=list_pool(images), masks=root / "annotations" / _FOLDERS[name], ids=_IDS)
    first = made.mask(made.images.names[0])
    if first is None or not first.is_file():
        raise BadDataset(f"the first mask, {first}, is missing", remedy="unpack it again")
    values = masks.pixels(first)
    if values.ndim == 3 or not set(np.unique(values).tolist()) <= set(_IDS):
        raise BadDataset(
            f"{first} is no mask of the 150 classes: the full ADE20K has other files",
            remedy="take ADEChallengeData2016.zip of the scene parsing benchmark",
        )
    return made


def _names(path: Path) -> list[str]:
    """The class names in the last column of the list: the first synonym, or all where it is
    taken.
    """
    try:
        lines = path.read_text("utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(
            f"{path} cannot be read: {error}",
            remedy="copy the dataset anew; trainer init says what it expects",
        ) from error
    names: list[str] = []
    for line in filter(str.strip, lines):
        whole = line.split("\t")[-1].strip()
        first = whole.split(",")[0].strip()
        names.append(whole if first in names else first)
    if len(names) != _COUNT or len(set(names)) < _COUNT:
        raise BadDataset(
            f"{path} names {len(set(names))} different classes, expected {_COUNT}",
            remedy="copy the dataset anew; trainer init says what it expects",
        )
    return names


ADE20K = Layout(
    title="ADE20K, SceneParse150 (images/, annotations/)",
    size="320x320",
    found=found,
    classes=classes,
    split=split,
)
