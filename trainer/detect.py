"""Looks at a folder and writes the dataset.toml for it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.errors import BadDataset, BadImage
from scorer.images import size
from scorer.pool import Pool, list_pool
from trainer import camvid
from trainer.dataset import Colour, default_colours

_IMAGE_FOLDERS = ("images", "image", "img", "JPEGImages")
_MASK_FOLDERS = ("masks", "mask", "annotations", "labels", "SegmentationClass")
_LOOKED_AT = 200  # files that are opened to learn sizes and classes
_LONGEST_SIDE = 640
_IGNORE = 255


@dataclass
class Detection:
    """A dataset.toml for a folder, and what was seen there, line by line."""

    toml: str
    findings: list[str] = field(default_factory=list)


def detect(root: Path, *, written_to: Path) -> Detection:
    """Recognise the layout of a folder, for a dataset.toml that is to lie in `written_to`.

    Raises BadDataset where there are no images.
    """
    if not root.is_dir():
        raise BadDataset(f"{root} is not a folder")
    same = root.resolve() == written_to.resolve()
    start = "." if same else root.resolve().as_posix()
    return _camvid(root, start) if camvid.is_camvid(root) else _folders(root, start)


def _camvid(root: Path, start: str) -> Detection:
    findings = ["layout: CamVid in the SegNet form (train/, trainannot/, ...)"]
    for name in ("train", "val"):
        if (root / name).is_dir():
            pool = list_pool(root / name)
            findings += [f"{name}: {len(pool)} images, {_sizes(pool)[0]}"]
    pool = list_pool(root / "train")
    counts = _histogram(root / "trainannot", pool)
    names = [*camvid.CLASSES["names"], "ignored"]
    findings += _listing(counts, dict(enumerate(names)))
    return Detection(_CAMVID.format(root=start, size=_suggested(pool)), findings)


def _folders(root: Path, start: str) -> Detection:
    images = _first(root, _IMAGE_FOLDERS)
    if images is None:
        raise BadDataset(
            f"{root} has no folder of images",
            remedy=f"expected {', '.join(_IMAGE_FOLDERS)}, or CamVid's train/ and trainannot/",
        )
    pool, masks = list_pool(images), _first(root, _MASK_FOLDERS)
    findings = ["layout: folders", f"images: {images.name}/, {len(pool)} files, {_sizes(pool)[0]}"]
    counts = _histogram(masks, pool) if masks else Counter()
    classes = _classes(root, masks, pool, counts)
    findings.append(
        f"masks: {masks.name}/" if masks else "masks: none; labels must come from a CSV"
    )
    findings += _listing(counts, dict(enumerate(classes.names)) | {_IGNORE: "ignored"})
    if not classes.certain:
        findings.append("class names are not known: edit [classes] in dataset.toml")
    text = _FOLDERS.format(
        root=start,
        size=_suggested(pool),
        train=_split_lines(root, images, masks),
        val=_val_lines(root),
        names=_toml_list(classes.names),
        colours=_toml_list("#{:02x}{:02x}{:02x}".format(*colour) for colour in classes.colours),
        ignore=_IGNORE,
    )
    return Detection(text, findings)


@dataclass(frozen=True)
class _Found:
    names: Sequence[str]
    colours: Sequence[Colour]
    certain: bool


def _classes(root: Path, masks: Path | None, pool: Pool, counts: Counter[int]) -> _Found:
    present = [value for value in counts if value != _IGNORE]
    count = max(2, max(present, default=1) + 1)
    names = [f"class {index}" for index in range(count)]
    listing = root / "classes.txt"
    if listing.is_file():
        names = [
            line.strip() for line in listing.read_text("utf-8-sig").splitlines() if line.strip()
        ]
    colours = _palette(masks, pool, len(names)) or default_colours(len(names))
    return _Found(names, colours, listing.is_file())


def _palette(masks: Path | None, pool: Pool, count: int) -> Sequence[Colour] | None:
    for path in _mask_files(masks, pool):
        with Image.open(path) as image:
            entries = image.getpalette("RGB") if image.mode == "P" else None
        if entries is None or len(entries) < 3 * count:
            return None
        colours = [(r, g, b) for r, g, b in np.reshape(entries, (-1, 3))[:count].tolist()]
        return colours if len(set(colours)) == count else None
    return None


def _histogram(masks: Path | None, pool: Pool) -> Counter[int]:
    """How many pixels hold each value, over the first masks."""
    counts: Counter[int] = Counter()
    for path in _mask_files(masks, pool):
        with Image.open(path) as image:
            if image.mode not in ("L", "P"):
                raise BadDataset(
                    f"{path} is no mask of class indices, but an image of mode {image.mode}",
                    remedy="for masks of colours write dataset.toml by hand: names and colours in "
                    "[classes]; docs/datasets.md shows one",
                )
            values = np.bincount(np.asarray(image).ravel(), minlength=256)
        counts.update({value: int(n) for value, n in enumerate(values) if n})
    return counts


def _mask_files(masks: Path | None, pool: Pool) -> Iterator[Path]:
    if masks is not None:
        paths = ((masks / name).with_suffix(".png") for name in pool.names[:_LOOKED_AT])
        yield from (path for path in paths if path.is_file())


def _sizes(pool: Pool) -> tuple[str, tuple[int, int]]:
    """The sizes of the first images in words, and the commonest as (height, width)."""
    seen: Counter[tuple[int, int]] = Counter()
    for name in pool.names[:_LOOKED_AT]:
        try:
            seen[size(pool.path(name))] += 1
        except BadImage:
            seen[0, 0] += 1
    broken = seen.pop((0, 0), 0)
    if not seen:
        raise BadDataset(f"none of the first {broken} images in {pool.root} can be read")
    height, width = seen.most_common(1)[0][0]
    words = f"{height}x{width}" if len(seen) == 1 else f"{len(seen)} sizes, most {height}x{width}"
    return words + (f", {broken} unreadable" if broken else ""), (height, width)


def _suggested(pool: Pool) -> str:
    height, width = _sizes(pool)[1]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    sides = [height, width] if scale == 1 else [16 * round(s * scale / 16) for s in (height, width)]
    return "x".join(str(max(32, side)) for side in sides)


def _listing(counts: Counter[int], names: dict[int, str]) -> list[str]:
    total = sum(counts.values())
    return [
        f"  {value:3d} {names.get(value, '?'):<16} {counts[value] / total:8.3%} of the mask pixels"
        for value in sorted(counts)
    ]


def _first(root: Path, names: Sequence[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _split_lines(root: Path, images: Path, masks: Path | None) -> str:
    lines = [f'images = "{images.relative_to(root).as_posix()}"']
    if masks is not None:
        lines.append(f'masks = "{masks.relative_to(root).as_posix()}"')
    if (root / "labels.csv").is_file():
        lines.append('labels = "labels.csv"')
    return "\n".join(lines)


def _val_lines(root: Path) -> str:
    images, masks = _first(root / "val", _IMAGE_FOLDERS), _first(root / "val", _MASK_FOLDERS)
    if images is None or masks is None:
        return '# [val]\n# images = "val/images"\n# masks = "val/masks"'
    return "[val]\n" + _split_lines(root, images, masks).replace('\nlabels = "labels.csv"', "")


def _toml_list(values: Iterator[str] | Sequence[str]) -> str:
    inner = "".join(f'    "{value}",\n' for value in (v.replace('"', "'") for v in values))
    return f"[\n{inner}]"


_SIZE = """\
# HEIGHTxWIDTH of the network's grid. Images are scaled to fit into it, never distorted.
size = "{size}"
"""

_CAMVID = f"""\
version = 1
# CamVid as SegNet has it: train/ and trainannot/, val/ and valannot/, 11 classes, 11 = ignore.
layout = "camvid"
# Where those folders are, relative to this file.
root = "{{root}}"
{_SIZE}
# Clicks instead of pixels drawn from the masks: a CSV image,row,col,label.
# [train]
# labels = "labels.csv"
"""

_FOLDERS = f"""\
version = 1
# Images in one folder, masks of the same names (.png) in another.
layout = "folders"
# Where those folders are, relative to this file.
root = "{{root}}"
{_SIZE}
# What to learn from. masks: class indices (grey or palette PNG), or class colours (RGB).
# labels: a CSV image,row,col,label of clicked pixels; with it, masks are not needed.
[train]
{{train}}

# What to measure on: images with full masks. Optional.
{{val}}

[classes]
# By index: the first name is mask value 0.
names = {{names}}
colours = {{colours}}
# The mask value that means: not labelled.
ignore = {{ignore}}
"""
