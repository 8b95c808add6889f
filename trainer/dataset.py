"""What dataset.toml says: where images, masks and labels lie, and what the classes are."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scorer.console import parse_size
from scorer.errors import BadDataset, BadPool
from scorer.pool import Pool, list_pool
from trainer import camvid

VERSION = 1
LAYOUTS = ("folders", "camvid")
_REMEDY = "trainer init writes a dataset.toml that works; its comments explain every line"

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Names and colours by class index, and the mask value that means 'not labelled'."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore: int

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images, and for each of them a mask in `masks`, clicks in `labels`, or neither."""

    images: Pool
    masks: Path | None
    labels: Path | None = None

    def mask(self, name: str) -> Path | None:
        """The mask of an image: same path below the masks folder, with .png."""
        return None if self.masks is None else (self.masks / name).with_suffix(".png")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset.toml, read and checked. `size` is the (height, width) of the network's grid."""

    classes: Classes
    size: tuple[int, int]
    train: Split
    val: Split | None


def read(path: Path) -> Dataset:
    """Read dataset.toml; every path in it is relative to its own folder."""
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise BadDataset(f"{path} does not exist", remedy="write one with: trainer init") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy=_REMEDY) from error
    try:
        return _dataset(table, path.parent)
    except (BadDataset, BadPool) as error:
        raise BadDataset(f"{path}: {error}", remedy=error.remedy or _REMEDY) from error


def _dataset(table: Mapping[str, Any], folder: Path) -> Dataset:
    _known(table, {"version", "layout", "root", "size", "classes", "train", "val"}, "dataset")
    if table.get("version") != VERSION:
        raise BadDataset(f"version is {table.get('version')!r}, expected {VERSION}")
    layout, root = table.get("layout", "folders"), folder / str(table.get("root", "."))
    if layout not in LAYOUTS:
        raise BadDataset(f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}")
    if layout == "camvid":
        classes = _classes({**camvid.CLASSES, **_table(table, "classes")})
        train, val = (_camvid_split(root, name, table) for name in ("train", "val"))
    else:
        classes = _classes(_table(table, "classes"))
        train, val = (_split(root, _table(table, name), name) for name in ("train", "val"))
    if train is None:
        raise BadDataset("[train] is missing: where are the images?")
    return Dataset(classes=classes, size=_size(table), train=train, val=val)


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := set(table) - names:
        raise BadDataset(f"unknown key {sorted(unknown)[0]!r} in [{where}]; known: {sorted(names)}")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise BadDataset(f"{name} must be a table: [{name}]")
    return value


def _size(table: Mapping[str, Any]) -> tuple[int, int]:
    try:
        return parse_size(str(table["size"]))
    except KeyError as error:
        raise BadDataset('size is missing; write for example size = "360x480"') from error
    except ValueError as error:
        raise BadDataset(f"size: {error}") from error


def _classes(table: Mapping[str, Any]) -> Classes:
    _known(table, {"names", "colours", "ignore"}, "classes")
    names = tuple(table.get("names", ())) if isinstance(table.get("names"), list) else ()
    if (
        not all(isinstance(name, str) and name for name in names)
        or not 2 <= len(names) <= 255
        or len(set(names)) < len(names)
    ):
        raise BadDataset("[classes] names: expected 2 to 255 different names")
    ignore = table.get("ignore", 255)
    if type(ignore) is not int or not 0 <= ignore <= 255:
        raise BadDataset(f"[classes] ignore is {ignore!r}, expected a mask value from 0 to 255")
    return Classes(names=names, colours=_colours(table, len(names)), ignore=ignore)


def _colours(table: Mapping[str, Any], count: int) -> tuple[Colour, ...]:
    if "colours" not in table:
        return default_colours(count)
    try:
        colours = tuple(_colour(text) for text in table["colours"])
    except (ValueError, TypeError) as error:
        raise BadDataset('[classes] colours: write them as "#rrggbb"') from error
    if len(colours) != count or len(set(colours)) < count:
        raise BadDataset(f"[classes] colours: expected {count} different ones, one per name")
    return colours


def _colour(text: str) -> Colour:
    if len(text) != len("#rrggbb") or not text.startswith("#"):
        raise ValueError(text)
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def default_colours(count: int) -> tuple[Colour, ...]:
    """Well separated colours for any number of classes: the bits of the index, spread out."""
    colours = []
    for index in range(1, count + 1):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        colours.append((channels[0], channels[1], channels[2]))
    return tuple(colours)


def _split(root: Path, table: Mapping[str, Any], name: str) -> Split | None:
    if not table:
        return None
    _known(table, {"images", "masks", "labels"}, name)
    if "images" not in table:
        raise BadDataset(f"[{name}] images is missing")
    masks, labels = (
        root / str(table[key]) if key in table else None for key in ("masks", "labels")
    )
    if name == "val" and masks is None:
        raise BadDataset("[val] masks is missing: there is nothing to measure against")
    images = _pool(root / str(table["images"]), name)
    return Split(images=images, masks=masks and _masks(masks, name), labels=labels)


def _masks(location: Path, name: str) -> Path:
    if not location.is_dir():
        raise BadDataset(f"[{name}] masks: {location} is not a folder")
    return location


def _camvid_split(root: Path, name: str, table: Mapping[str, Any]) -> Split | None:
    settings = _table(table, name)
    _known(settings, {"labels"}, name)
    if not (root / name).is_dir():
        return None
    pool = _pool(root / name, name)
    names: Sequence[str] = camvid.listed(root / f"{name}.txt", pool.names)
    labels = root / str(settings["labels"]) if "labels" in settings else None
    masks = _masks(root / f"{name}annot", name)
    return Split(images=Pool(pool.root, tuple(names)), masks=masks, labels=labels)


def _pool(location: Path, name: str) -> Pool:
    if not location.is_dir():
        raise BadDataset(f"[{name}] images: {location} is not a folder")
    return list_pool(location)
