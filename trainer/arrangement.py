"""Recognises how a folder arranges its images and masks, split into training and validation or
not.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from scorer.pools.folder import Folder
from scorer.pools.walk import is_image, is_passed_over

IMAGES = ("images", "image", "img", "imgs", "jpegimages", "img_dir")
MASKS = (
    "masks", "mask", "annotations", "annotation", "labels", "label", "segmentationclass", "ann_dir",
    "groundtruth", "ground_truth", "gt", "masks_machine", "segmentation", "targets",
)  # fmt: skip
_TRAIN = ("train", "training")
_VAL = ("val", "valid", "validation")
_REST = ("test", "testing")
_LISTS = ("ImageSets/Segmentation", "ImageSets", "splits", ".")
_LIST = ".txt"
_BESIDE = ("annot", "_annot", "_mask", "_masks", "_label", "_labels", "_gt", "_seg")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A folder of images and the folder of their masks, which may be the same. list: file that
    names the images that are used.
    """

    images: Path
    masks: Path | None
    list: Path | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether the masks lie among the images."""
        return self.masks == self.images


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """The recognised folders. title: description for the user. unused: folders and lists, such as
    those of test sets, that serve neither training nor validation.
    """

    title: str
    train: Part
    val: Part | None = None
    unused: tuple[Path, ...] = ()

    @property
    def unused_val_list(self) -> Path | None:
        """A list of a validation that is not used, while training takes every image."""
        if self.val is not None or self.train.list is not None:
            return None
        lists = (path for path in self.unused if path.suffix == _LIST)
        return next((path for path in lists if path.stem in _VAL), None)


def find(root: Path) -> Arrangement | None:
    """Recognise the arrangement of a folder; None if it is unknown. If `root` holds only one
    folder, that folder is searched.
    """
    _folders.cache_clear()
    return _found(root)


def _found(root: Path) -> Arrangement | None:
    for look in (
        _splits_inside,
        _splits_outside,
        _splits_beside,
        _one_folder,
        _splits_mixed,
        _flat,
    ):
        if (found := look(root)) is not None:
            return replace(found, unused=tuple(_unused(root, found)))
    folders = _folders(root)
    if len(folders) != 1 or not folders.keys().isdisjoint(MASKS) or _holds_images(root):
        return None
    return _found(next(iter(folders.values())))


def _splits_inside(root: Path) -> Arrangement | None:
    """images/train/ and masks/train/: mmsegmentation, and many others."""
    images, masks = _child(root, IMAGES), _child(root, MASKS)
    if images is None or (train := _child(images, _TRAIN)) is None:
        return None
    val = _child(images, _VAL)
    own = [masks and (_child(masks, names) or masks) for names in (_TRAIN, _VAL)]
    title = f"{images.name}/{train.name}/" + (f", {masks.name}/" if masks else "")
    return Arrangement(
        title=title,
        train=Part(images=train, masks=own[0]),
        val=Part(images=val, masks=own[1]) if val and own[1] else None,
    )


def _splits_outside(root: Path) -> Arrangement | None:
    """train/images/ and train/masks/."""
    train, val = _child(root, _TRAIN), _child(root, _VAL)
    inner = train and _child(train, IMAGES)
    if train is None or inner is None:
        return None
    return Arrangement(
        title=f"{train.name}/{inner.name}",
        train=Part(images=inner, masks=_child(train, MASKS)),
        val=_inner(val),
    )


def _splits_beside(root: Path) -> Arrangement | None:
    """train/ and train_masks/, or train_images/ and train_masks/."""
    parts = [_beside(root, names) for names in (_TRAIN, _VAL)]
    if parts[0] is None:
        return None
    assert parts[0].masks is not None
    title = f"{parts[0].images.name}/, {parts[0].masks.name}/"
    return Arrangement(title=title, train=parts[0], val=parts[1])


def _one_folder(root: Path) -> Arrangement | None:
    """images/ and masks/, with lists as PASCAL VOC has them, or with val/images/ and val/masks/."""
    images, masks = _child(root, IMAGES), _child(root, MASKS)
    if images is None:
        return None
    title = f"{images.name}/" + (f", {masks.name}/" if masks else "")
    return _listed(root, title, Part(images=images, masks=masks))


def _listed(root: Path, title: str, part: Part) -> Arrangement:
    """A folder of images for both splits, which lists divide; or all of it for training, with
    val/images/ and val/masks/ for the validation.
    """
    train, val = _list(root, _TRAIN), _list(root, _VAL)
    inner = _inner(_child(root, _VAL))
    if train is None:
        return Arrangement(title=title, train=part, val=inner)
    of_list = replace(part, list=val) if val and part.masks else None
    return Arrangement(
        title=f"{title} and {train.relative_to(root).as_posix()}",
        train=replace(part, list=train),
        val=of_list or inner,
    )


def _splits_mixed(root: Path) -> Arrangement | None:
    """train/ with images and masks in it, as Roboflow exports them."""
    train, val = _child(root, _TRAIN), _child(root, _VAL)
    if train is None or not _holds_images(train):
        return None
    return Arrangement(
        title=f"{train.name}/ with images and masks",
        train=Part(images=train, masks=train),
        val=Part(images=val, masks=val) if val and _holds_images(val) else None,
    )


def _flat(root: Path) -> Arrangement | None:
    """A folder of images, with or without masks among them, and none in the folders below."""
    if not _holds_images(root) or root.resolve().name.lower() in MASKS:
        return None
    if any("/" in name for name in Folder(root).names()):
        return None
    return _listed(root, "a folder of images", Part(images=root, masks=root))


def _inner(folder: Path | None) -> Part | None:
    """The validation split in val/; None without masks, which it needs."""
    images, masks = (folder and _child(folder, names) for names in (IMAGES, MASKS))
    return Part(images=images, masks=masks) if images and masks else None


def _beside(root: Path, names: Sequence[str]) -> Part | None:
    for name in names:
        images = _child(root, (f"{name}_images", f"{name}_image", f"{name}_img", name))
        masks = _child(root, [name + ending for ending in _BESIDE])
        if images and masks:
            return Part(images=images, masks=masks)
    return None


def _list(root: Path, names: Sequence[str]) -> Path | None:
    return next(_lists(root, names), None)


def _lists(root: Path, names: Sequence[str]) -> Iterator[Path]:
    for folder in _LISTS:
        paths = (root / folder / f"{name}{_LIST}" for name in names)
        yield from (path for path in paths if path.is_file())


def _unused(root: Path, found: Arrangement) -> Iterator[Path]:
    """Yield folders and lists with the names of splits that serve none."""
    parts = [part for part in (found.train, found.val) if part is not None]
    used = {path for part in parts for path in (part.images, part.masks, part.list) if path}
    used |= {parent for path in used for parent in path.parents}
    places = [root, *(folder for name, folder in _folders(root).items() if name in IMAGES)]
    for names in (_TRAIN, _VAL, _REST):
        for place in places:
            found_here = _folders(place)
            folders = [found_here[name] for name in names if name in found_here]
            yield from (folder for folder in folders if folder not in used)
        yield from (path for path in _lists(root, names) if path not in used)


def _child(root: Path, names: Sequence[str]) -> Path | None:
    """The first folder with one of these names, in any letter case."""
    folders = _folders(root)
    return next((folders[name] for name in names if name in folders), None)


@cache  # a folder may hold a million files
def _folders(root: Path) -> dict[str, Path]:
    """The subfolders by their names in lower case, without hidden folders and those of the
    system.
    """
    try:
        with os.scandir(root) as found:
            names = sorted(one.name for one in found if _is_folder(one))
    except OSError:
        return {}
    return {name.lower(): root / name for name in names}


def _is_folder(one: os.DirEntry[str]) -> bool:
    try:
        return one.is_dir() and not is_passed_over(one.name)
    except OSError:
        return False  # a link to itself


def _holds_images(folder: Path) -> bool:
    try:
        with os.scandir(folder) as found:
            return any(is_image(one.name) and not is_passed_over(one.name) for one in found)
    except OSError:
        return False
