"""The layout of CamVid that SegNet made common: {train,val,test}/ and {train,val,test}annot/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorer.errors import BadDataset
from scorer.pools import list_pool, named
from trainer.image_list import listed
from trainer.layouts.layout import Layout
from trainer.split import Split

CLASSES: dict[str, Any] = {
    "names": [
        "Sky",
        "Building",
        "Pole",
        "Road",
        "Pavement",
        "Tree",
        "SignSymbol",
        "Fence",
        "Car",
        "Pedestrian",
        "Bicyclist",
    ],
    "colours": [
        "#808080",
        "#800000",
        "#c0c080",
        "#804080",
        "#3c28de",
        "#808000",
        "#c08080",
        "#404080",
        "#400080",
        "#404000",
        "#0080c0",
    ],
    "ignore": 11,
}


def found(root: Path) -> Path | None:
    """A folder that holds images in train/ and their masks in trainannot/."""
    return root if (root / "train").is_dir() and (root / "trainannot").is_dir() else None


def classes(root: Path) -> Mapping[str, Any]:  # noqa: ARG001  # the same everywhere
    """[classes] of dataset.toml: the eleven classes of SegNet."""
    return CLASSES


def split(root: Path, name: str) -> Split | None:
    """A split: the images in its list or, without a list, in its folder. Raises BadDataset."""
    if not (root / name).is_dir():
        return None
    pool = list_pool(root / name)
    masks = root / f"{name}annot"
    if not masks.is_dir():
        raise BadDataset(
            f"[{name}] masks: {masks} is not a folder",
            remedy="copy the dataset anew; trainer init says what it expects",
        )
    path = root / f"{name}.txt"
    names = listed(path, pool.names) if path.is_file() else pool.names
    return Split(images=named(root / name, names), masks=masks)


CAMVID = Layout(
    title="CamVid in the SegNet form (train/, trainannot/, ...)",
    size=None,
    found=found,
    classes=classes,
    split=split,
)
