"""The layout of PASCAL VOC 2012: JPEGImages/, SegmentationClass/, lists in
ImageSets/Segmentation/.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorer.errors import BadDataset
from scorer.images.colours import Colour, hexadecimal
from scorer.pools import named
from trainer import masks
from trainer.layouts.layout import Layout
from trainer.split import Split

_IMAGES, _MASKS, _LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
NAMES = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car",
    "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike",
    "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip


def found(root: Path) -> Path | None:
    """The folder VOC2012: `root` itself, or below `root`; None if it is not there."""
    for place in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (place / _LISTS).is_dir() and (place / _IMAGES).is_dir():
            return place
    return None


def classes(root: Path) -> Mapping[str, Any]:  # noqa: ARG001  # the same everywhere
    """[classes] of dataset.toml: background and twenty object classes."""
    colours = [hexadecimal(_colour(index)) for index in range(len(NAMES))]
    return {"names": NAMES, "colours": colours, "ignore": 255}


def _colour(index: int) -> Colour:
    """The colour of VOC's development kit: the bits of the index, distributed over the channels."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


def split(root: Path, name: str) -> Split | None:
    """A split: the images that its list names. Raises BadDataset."""
    path = root / _LISTS / f"{name}.txt"
    if not path.is_file():
        return None
    try:
        names = sorted(
            f"{line.split()[0]}.jpg" for line in path.read_text().splitlines() if line.strip()
        )
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise BadDataset(
            f"{path} cannot be read: {error}",
            remedy="copy the dataset anew; trainer init says what it expects",
        ) from error
    if not names:
        raise BadDataset(
            f"{path} names no image",
            remedy="copy the dataset anew; trainer init says what it expects",
        )
    made = Split(images=named(root / _IMAGES, names), masks=root / _MASKS)
    for kind, first in (("image", root / _IMAGES / names[0]), ("mask", made.mask(names[0]))):
        if first is not None and not first.is_file():
            raise BadDataset(
                f"{path} names {names[0][:-4]}, whose {kind} {first} is missing",
                remedy="unpack VOCtrainval_11-May-2012.tar again",
            )
    first = made.mask(names[0])
    if first is not None and masks.pixels(first).ndim == 3:
        raise BadDataset(
            f"{first} is an RGB picture; VOC's own masks are palette PNGs, whose index counts",
            remedy="take SegmentationClass from VOCtrainval_11-May-2012.tar",
        )
    return made


VOC2012 = Layout(
    title="PASCAL VOC 2012 (JPEGImages/, SegmentationClass/)",
    size="496x496",
    found=found,
    classes=classes,
    split=split,
)
