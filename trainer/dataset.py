"""Reads dataset.toml: where images, masks and labels are, and what the classes are."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scorer.console import parse_size
from scorer.errors import BadDataset, BadPool
from scorer.images.colours import Colour, default_colours
from scorer.pools import Index, list_pool
from scorer.pools.declared import parted
from scorer.pools.folder import real
from scorer.pools.index import folder_of
from trainer import layouts, mask_name, overlap
from trainer.absent import check_data
from trainer.classes import Classes
from trainer.image_list import listed
from trainer.layouts.layout import Layout
from trainer.masks import IGNORE
from trainer.split import Split

VERSION = 1
_DENSE = "dense_labels"
_REMEDY = "trainer init writes a dataset.toml that works; its comments explain every line"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The content of a dataset.toml, checked. size: (height, width) of the network's grid."""

    classes: Classes
    size: tuple[int, int]
    train: Split
    val: Split | None


def read(path: Path) -> Dataset:
    """Read dataset.toml, in which paths are relative to its folder. Raises BadDataset."""
    check_data(path)
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy=_REMEDY) from error
    try:
        return _dataset(table, path.parent)
    except (BadDataset, BadPool) as error:
        raise BadDataset(f"{path}: {error}", remedy=error.remedy) from error


def is_extensible(path: Path) -> bool:
    """Whether a dataset.toml defines its own classes, rather than those of a published layout."""
    return str(tomllib.loads(path.read_text("utf-8-sig")).get("layout", "folders")) == "folders"


def _dataset(table: Mapping[str, Any], folder: Path) -> Dataset:
    _known(table, {"version", "layout", "root", "size", "classes", "train", "val"}, "dataset")
    if table.get("version") != VERSION:
        raise BadDataset(f"version is {table.get('version')!r}, expected {VERSION}", remedy=_REMEDY)
    layout, root = table.get("layout", "folders"), folder / str(table.get("root", "."))
    if layout in layouts.KNOWN:
        classes, train, val = _known_layout(layouts.KNOWN[layout], root, table)
    elif layout == "folders":
        classes = _classes(_table(table, "classes"))
        ids = _ids(_table(table, "classes"), classes)
        train, val = (_split(root, _table(table, name), name, ids) for name in ("train", "val"))
    else:
        known = ", ".join(("folders", *layouts.KNOWN))
        raise BadDataset(f"layout is {layout!r}, expected one of {known}", remedy=_REMEDY)
    if train is None:
        raise BadDataset("[train] is missing: where are the images?", remedy=_REMEDY)
    if val is not None:
        overlap.check(overlap.of(train.images), overlap.of(val.images))
    return Dataset(classes=classes, size=_size(table), train=train, val=val)


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := set(table) - names:
        raise BadDataset(
            f"unknown key {sorted(unknown)[0]!r} in [{where}]; known: {sorted(names)}",
            remedy=_REMEDY,
        )


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise BadDataset(f"{name} must be a table: [{name}]", remedy=_REMEDY)
    return value


def _size(table: Mapping[str, Any]) -> tuple[int, int]:
    try:
        return parse_size(str(table["size"]))
    except KeyError as error:
        raise BadDataset(
            'size is missing; write for example size = "360x480"', remedy=_REMEDY
        ) from error
    except ValueError as error:
        raise BadDataset(f"size: {error}", remedy=_REMEDY) from error


def _classes(table: Mapping[str, Any]) -> Classes:
    _known(table, {"names", "colours", "ignore", "values"}, "classes")
    names = tuple(table.get("names", ())) if isinstance(table.get("names"), list) else ()
    if (
        not all(isinstance(name, str) and name for name in names)
        or not 2 <= len(names) <= 255
        or len(set(names)) < len(names)
    ):
        raise BadDataset("[classes] names: expected 2 to 255 different names", remedy=_REMEDY)
    ignore = table.get("ignore", 255)
    if type(ignore) is not int or not 0 <= ignore <= 255:
        raise BadDataset(
            f"[classes] ignore is {ignore!r}, expected a mask value from 0 to 255", remedy=_REMEDY
        )
    return Classes(names=names, colours=_colours(table, len(names)), ignore=ignore)


def _ids(table: Mapping[str, Any], classes: Classes) -> Mapping[int, int] | None:
    """Class indices by mask value; None where mask values are class indices."""
    values = table.get("values")
    if values is None:
        return None
    if (
        not isinstance(values, list)
        or not all(type(value) is int and 0 <= value <= 255 for value in values)
        or len(set(values)) != len(classes)
        or classes.ignore in values
    ):
        raise BadDataset(
            f"[classes] values: expected {len(classes)} different mask values from 0 to 255, one "
            "per name, without that of ignore",
            remedy=_REMEDY,
        )
    return {IGNORE: IGNORE, classes.ignore: IGNORE} | {one: i for i, one in enumerate(values)}


def _colours(table: Mapping[str, Any], count: int) -> tuple[Colour, ...]:
    if "colours" not in table:
        return default_colours(count)
    try:
        colours = tuple(_colour(text) for text in table["colours"])
    except (ValueError, TypeError) as error:
        raise BadDataset('[classes] colours: write them as "#rrggbb"', remedy=_REMEDY) from error
    if len(colours) != count or len(set(colours)) < count:
        raise BadDataset(
            f"[classes] colours: expected {count} different ones, one per name", remedy=_REMEDY
        )
    return colours


def _colour(text: str) -> Colour:
    if len(text) != len("#rrggbb") or not text.startswith("#"):
        raise ValueError(text)
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _split(
    root: Path, table: Mapping[str, Any], name: str, ids: Mapping[int, int] | None
) -> Split | None:
    if not table:
        return None
    _known(table, {"images", "masks", "labels", "list", "mask_name", *_of_train(name)}, name)
    if "images" not in table:
        raise BadDataset(f"[{name}] images is missing", remedy=_REMEDY)
    masks, labels = (
        root / str(table[key]) if key in table else None for key in ("masks", "labels")
    )
    if name == "val" and masks is None:
        raise BadDataset(
            "[val] masks is missing: there is nothing to measure against", remedy=_REMEDY
        )
    pattern = str(table.get("mask_name", mask_name.PATTERN))
    if not mask_name.is_pattern(pattern):
        raise BadDataset(
            f'[{name}] mask_name is {pattern!r}, expected one as "{{stem}}_mask.png"',
            remedy=_REMEDY,
        )
    images = _pool(root, str(table["images"]), name)
    place = folder_of(images)
    if masks is not None and place is not None and real(place.root) == real(masks):
        images = images.only(mask_name.without_masks(images.names, pattern))
    if "list" in table:
        images = images.only(listed(root / str(table["list"]), images.names))
    return Split(
        images=images,
        masks=masks and _folder(masks, f"[{name}] masks"),
        labels=labels,
        dense_labels=_dense_labels(root, table),
        mask_name=mask_name.of(pattern),
        ids=ids,
    )


def _of_train(name: str) -> set[str]:
    return {_DENSE} if name == "train" else set()


def _dense_labels(root: Path, table: Mapping[str, Any]) -> Path | None:
    if _DENSE not in table:
        return None
    return _folder(root / str(table[_DENSE]), f"[train] {_DENSE}")


def _folder(location: Path, name: str) -> Path:
    if not location.is_dir():
        raise BadDataset(f"{name}: {location} is not a folder", remedy=_REMEDY)
    return location


def _known_layout(
    layout: Layout, root: Path, table: Mapping[str, Any]
) -> tuple[Classes, Split | None, Split | None]:
    """Classes and splits of a published dataset; dataset.toml may add labels and rename classes."""
    if not root.is_dir():
        raise BadDataset(f"root: {root} is not a folder", remedy=_REMEDY)
    parts = []
    for name in ("train", "val"):
        settings = _table(table, name)
        _known(settings, {"labels", *_of_train(name)}, name)
        split = layout.split(root, name)
        if split is not None:
            labels = root / str(settings["labels"]) if "labels" in settings else None
            split = replace(split, labels=labels, dense_labels=_dense_labels(root, settings))
        parts.append(split)
    own = layout.classes(root)
    _known(_table(table, "classes"), set(own), "classes")
    classes = _classes({**own, **_table(table, "classes")})
    if len(classes) != len(own["names"]) or classes.ignore != own["ignore"]:
        raise BadDataset(
            f"[classes]: {layout.title} has {len(own['names'])} classes, {own['ignore']} = ignore",
            remedy="only names and colours may be others",
        )
    return classes, parts[0], parts[1]


def _pool(root: Path, images: str, name: str) -> Index:
    where = images if "://" in images else str(root / images)
    if "://" not in where and not Path(parted(where)[0]).exists():
        raise BadDataset(
            f"[{name}] images: {where} is not a folder, and no other pool of images", remedy=_REMEDY
        )
    return list_pool(where)
