"""Masks: a uint8 PNG per image at the image's size, class indices, 255 where unlabelled."""

import struct
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.errors import BadLabels
from scorer.exchange.point import Point, within
from scorer.exchange.reading import Reading
from scorer.files import replacing_path
from scorer.images.photograph import MAX_PIXELS
from scorer.selection.exclusion import mask_name

UNLABELLED = 255
MOST = 10_000  # labelled pixels of an image; more are no clicks but painted areas
_REMEDY = "masks are 8-bit PNGs of class indices at the image's own size, 255 where unlabelled"


def write(folder: Path, points: Sequence[Point], classes: Sequence[str]) -> None:
    """Write one mask per image; unsure and skip become 255, too, because masks cannot express them.

    Raises BadLabels for too many classes or too large images.
    """
    if len(classes) > UNLABELLED:
        raise BadLabels(f"{len(classes)} classes do not fit into 8 bits", remedy="use --format csv")
    for point in points:
        if point.height * point.width > MAX_PIXELS:
            raise BadLabels(
                f"{point.image} is too large: {point.height}x{point.width}",
                remedy="choose another --format for it",
            )
    for image, group in groupby(points, lambda one: one.image):
        mask = _mask(list(group), classes)
        with replacing_path(folder / mask_name(image)) as temporary:
            Image.fromarray(mask).save(temporary, format="PNG")


def _mask(points: Sequence[Point], classes: Sequence[str]) -> npt.NDArray[np.uint8]:
    mask = np.full((points[0].height, points[0].width), UNLABELLED, np.uint8)
    for point in points:
        if point.class_name is not None:
            mask[point.row, point.col] = classes.index(point.class_name)
    return mask


def read(path: Path, name: str, reading: Reading) -> list[Point]:
    """Read the labelled pixels of a mask; name: its path below the folder, which identifies the
    image.

    Raises BadLabels.
    """
    with within(str(path)):
        image = reading.catalogue.of_mask(name)
        mask = decoded(path)
        rows, cols = np.nonzero(mask != UNLABELLED)
        if len(rows) > MOST:
            raise BadLabels(
                f"{len(rows)} labelled pixels are not clicks", remedy="train on such masks directly"
            )
        return [
            Point(
                image=image,
                row=row,
                col=col,
                height=mask.shape[0],
                width=mask.shape[1],
                answer="label",
                class_name=_class(int(mask[row, col]), row, col, reading.classes),
            )
            for row, col in zip(rows.tolist(), cols.tolist(), strict=True)
        ]


def decoded(path: Path) -> npt.NDArray[np.uint8]:
    """The stored index or grey values of a PNG, uint8 [height, width]. Raises BadLabels."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS or image.mode not in {"L", "P"}:
                size = f"{image.height}x{image.width}"
                raise BadLabels(f"a PNG of {size}, mode {image.mode}", remedy=_REMEDY)
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        raise BadLabels(f"cannot be read: {error}", remedy=_REMEDY) from error


def _class(value: int, row: int, col: int, classes: Sequence[str]) -> str:
    if value >= len(classes):
        raise BadLabels(
            f"the value {value} at row {row}, col {col} is no class of {len(classes)}",
            remedy=_REMEDY,
        )
    return classes[value]
