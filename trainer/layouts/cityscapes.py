"""The layout of Cityscapes: leftImg8bit/SPLIT/CITY/ and gtFine/SPLIT/CITY/, label ids or train
ids.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scorer.errors import BadDataset
from scorer.pools import list_pool
from trainer import masks
from trainer.layouts.layout import Layout
from trainer.split import Split

_IMAGE, _IMAGES, _MASKS = "_leftImg8bit.png", "leftImg8bit", "gtFine"
_LOOKED_AT = 8  # number of masks that are opened to tell label ids from train ids

# Train ids in order: name, colour, label id. cityscapesScripts, helpers/labels.py.
_CLASSES = (
    ("road", "#804080", 7),
    ("sidewalk", "#f423e8", 8),
    ("building", "#464646", 11),
    ("wall", "#66669c", 12),
    ("fence", "#be9999", 13),
    ("pole", "#999999", 17),
    ("traffic light", "#faaa1e", 19),
    ("traffic sign", "#dcdc00", 20),
    ("vegetation", "#6b8e23", 21),
    ("terrain", "#98fb98", 22),
    ("sky", "#4682b4", 23),
    ("person", "#dc143c", 24),
    ("rider", "#ff0000", 25),
    ("car", "#00008e", 26),
    ("truck", "#000046", 27),
    ("bus", "#003c64", 28),
    ("train", "#005064", 31),
    ("motorcycle", "#0000e6", 32),
    ("bicycle", "#770b20", 33),
)
_LABEL_IDS = dict.fromkeys((*range(34), 255), masks.IGNORE) | {
    label: index for index, (_, _, label) in enumerate(_CLASSES)
}
# Some copies of the dataset write 19 for 'no class'.
_TRAIN_IDS = {index: index for index in range(19)} | dict.fromkeys((19, 255), masks.IGNORE)


def found(root: Path) -> Path | None:
    """A folder that holds leftImg8bit/train and gtFine/train."""
    both = all((root / name / "train").is_dir() for name in (_IMAGES, _MASKS))
    return root if both else None


def classes(root: Path) -> Mapping[str, Any]:  # noqa: ARG001  # the same everywhere
    """[classes] of dataset.toml: the nineteen classes of the benchmark."""
    names, colours, _ = zip(*_CLASSES, strict=True)
    return {"names": list(names), "colours": list(colours), "ignore": 255}


def split(root: Path, name: str) -> Split | None:
    """A split, with the train ids if those masks exist, else the label ids. Raises BadDataset."""
    if not (root / _IMAGES / name).is_dir():
        return None
    pool = list_pool(root / _IMAGES / name)
    names = tuple(one for one in pool.names if one.endswith(_IMAGE))
    folder = root / _MASKS / name
    if not names:
        raise BadDataset(
            f"{pool.where} holds no *{_IMAGE}",
            remedy="copy the dataset anew; trainer init says what it expects",
        )
    for kind, ids in (("labelTrainIds", _TRAIN_IDS), ("labelIds", _LABEL_IDS)):
        made = Split(
            images=pool.only(names),
            masks=folder,
            mask_name=lambda image, kind=kind: _mask_name(image, kind),  # type: ignore[misc]
            ids=ids,
        )
        if (first := made.mask(names[0])) is not None and first.is_file():
            _check(made, kind)
            return made
    raise BadDataset(
        f"{folder} holds neither *_gtFine_labelTrainIds.png nor *_gtFine_labelIds.png",
        remedy="unpack gtFine_trainvaltest.zip beside leftImg8bit",
    )


def _mask_name(image: str, kind: str) -> str:
    return f"{image.removesuffix(_IMAGE)}_{_MASKS}_{kind}.png"


def _check(made: Split, kind: str) -> None:
    """Raise BadDataset for train ids in files named as label ids, and the other way round."""
    few = np.linspace(0, len(made.images) - 1, min(_LOOKED_AT, len(made.images))).astype(int)
    paths = [made.mask(made.images.names[index]) for index in few]
    values: set[int] = set()
    for path in paths:
        if path is not None and path.is_file():
            values.update(np.unique(masks.pixels(path)).tolist())
    values.discard(255)
    seem_train = bool(values) and max(values) <= 19
    if kind == "labelIds" and seem_train:
        raise BadDataset(
            f"the masks {paths[0]} and others hold train ids under the name labelIds: no value is "
            "above 19",
            remedy="rename them to *_gtFine_labelTrainIds.png",
        )
    if kind == "labelTrainIds" and not seem_train and values:
        raise BadDataset(
            f"the masks {paths[0]} and others hold label ids under the name labelTrainIds: they "
            f"go up to {max(values)}",
            remedy="rename them to *_gtFine_labelIds.png",
        )


CITYSCAPES = Layout(
    title="Cityscapes (leftImg8bit/, gtFine/)",
    size="256x512",
    found=found,
    classes=classes,
    split=split,
)
