"""CamVid in the form that SegNet made common: {train,val,test}/ and {train,val,test}annot/."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from scorer.errors import BadDataset
from scorer.pools import list_pool, named
from trainer.layouts.layout import Layout
from trainer.split import Split

_REMEDY = "correct the list, or remove it to use every image of the folder"

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
    """The eleven of SegNet."""
    return CLASSES


def split(root: Path, name: str) -> Split | None:
    """The images that the split's list names, or all of its folder."""
    if not (root / name).is_dir():
        return None
    pool = list_pool(root / name)
    masks = root / f"{name}annot"
    if not masks.is_dir():
        raise BadDataset(f"[{name}] masks: {masks} is not a folder")
    names = listed(root / f"{name}.txt", pool.names)
    return Split(images=named(root / name, names), masks=masks)


def listed(path: Path, present: Sequence[str]) -> Sequence[str]:
    """The images that train.txt or val.txt names; all that are present if there is no list.

    Such lists travel with the paths of the machine they were made on: only the file name counts.
    """
    if not path.is_file():
        return present
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy=_REMEDY) from error
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise BadDataset(f"{path} names no image", remedy=_REMEDY)
    names = {PurePosixPath(line[0].replace("\\", "/")).name for line in lines}
    if missing := names.difference(present):
        raise BadDataset(
            f"{path} names {len(missing)} images that are missing, such as {min(missing)}",
            remedy=_REMEDY,
        )
    return sorted(names)


CAMVID = Layout(
    title="CamVid in the SegNet form (train/, trainannot/, ...)",
    size=None,
    found=found,
    classes=classes,
    split=split,
)
