"""Reads ground-truth masks as class indices: 0..C-1, and 255 where unknown."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.errors import BadDataset, BadImage
from scorer.images.photograph import MAX_PIXELS
from trainer.classes import Classes
from trainer.split import Split

IGNORE = 255
_INDEXED = ("L", "P", "1", "I;16", "I")

Mask = npt.NDArray[np.uint8]


def read(path: Path, classes: Classes, ids: Mapping[int, int] | None = None) -> Mask:
    """Read a mask of class indices (grey or palette PNG) or of class colours (RGB).

    ids: class indices by stored value, where the two differ (Split.ids). Raises BadImage for a
    damaged file, BadDataset for a value that is no class: then dataset.toml is wrong, not one file.
    """
    values = pixels(path)
    if values.ndim == 3:
        return _from_colours(values, classes, path)
    if ids is not None:
        return _translated(values, ids, path)
    known = (values < len(classes)) & (values != classes.ignore)
    unknown = ~known & (values != classes.ignore) & (values != IGNORE)
    if unknown.any():
        raise BadDataset(
            f"{path} holds the value {values[unknown][0]}, but there are {len(classes)} classes "
            f"and ignore is {classes.ignore}",
            remedy="correct [classes] in dataset.toml",
        )
    return np.where(known, values, IGNORE).astype(np.uint8)


def of(split: Split, classes: Classes, name: str, size: tuple[int, int]) -> Mask:
    """The mask of an image with `size` (height, width). Raises BadImage for a mask of another
    size.
    """
    path = split.mask(name)
    assert path is not None
    mask = read(path, classes, split.ids)
    if mask.shape != size:
        height, width = mask.shape
        raise BadImage("mask of another size", f"{height}x{width}, the image {size}")
    return mask


def _translated(values: npt.NDArray[np.integer], ids: Mapping[int, int], path: Path) -> Mask:
    unknown = set(np.unique(values).tolist()) - set(ids)
    if unknown:
        raise BadDataset(
            f"{path} holds the value {min(unknown)}, which this dataset does not have",
            remedy="check that the mask belongs to this dataset; trainer init prints what it "
            "expects",
        )
    table = np.full(256, IGNORE, np.uint8)
    table[list(ids)] = list(ids.values())
    mask: Mask = table[values]
    return mask


def pixels(path: Path) -> npt.NDArray[np.integer]:
    """The stored values of a mask: [H, W] indices, or [H, W, 3] colours. Raises BadImage."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage("mask too large", str(path))
            stored = np.asarray(image if image.mode in _INDEXED else image.convert("RGB"))
    except FileNotFoundError as error:
        raise BadImage("mask missing", str(path)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImage("mask unreadable", f"{path}: {error}") from error
    return stored.astype(np.uint8) if stored.dtype == bool else stored


def _from_colours(values: npt.NDArray[np.integer], classes: Classes, path: Path) -> Mask:
    codes = values.astype(np.int32) @ np.array([65536, 256, 1])
    mask = np.full(codes.shape, IGNORE, np.uint8)
    void = codes == 0  # black means 'void' unless it is the colour of a class
    for index, (red, green, blue) in enumerate(classes.colours):
        mask[codes == 65536 * red + 256 * green + blue] = index
    if (unknown := (mask == IGNORE) & ~void).any():
        colour = f"#{codes[unknown][0]:06x}"
        raise BadDataset(
            f"{path} holds the colour {colour}, which is no class",
            remedy="correct colours in [classes] of dataset.toml; #000000 means not labelled",
        )
    return mask
