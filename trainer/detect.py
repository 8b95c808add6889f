"""Looks at a folder and writes the dataset.toml for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scorer.errors import BadDataset
from scorer.images.colours import default_colours, hexadecimal
from scorer.pools import Index, list_pool
from trainer import layouts, survey
from trainer.layouts.layout import Layout
from trainer.split import Split

_IMAGE_FOLDERS = ("images", "image", "img", "JPEGImages")
_MASK_FOLDERS = ("masks", "mask", "annotations", "labels", "SegmentationClass")
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
        raise BadDataset(f"{root} is not a folder", remedy="give the folder that holds images/")
    for name, layout in layouts.KNOWN.items():
        if (place := layout.found(root)) is not None:
            return _published(name, layout, place, _start(place, written_to))
    return _folders(root, _start(root, written_to))


def _start(root: Path, written_to: Path) -> str:
    """What dataset.toml says of where the data are."""
    return "." if root.resolve() == written_to.resolve() else root.resolve().as_posix()


def _published(name: str, layout: Layout, root: Path, start: str) -> Detection:
    findings = [f"layout: {layout.title}"]
    splits = {part: layout.split(root, part) for part in ("train", "val")}
    for part, split in splits.items():
        if split is not None:
            sizes = survey.sizes(split.images)
            findings.append(f"{part}: {len(split.images)} images, {sizes}")
    train = splits["train"]
    if train is None:
        raise BadDataset(
            f"{root} has no split for training", remedy="check that the dataset is complete"
        )
    classes = layout.classes(root)
    values = survey.mask_values(train)
    findings += values.findings(classes["names"], classes["ignore"], train.ids)
    text = _PUBLISHED.format(
        name=name,
        title=layout.title,
        root=_quoted(start),
        size=layout.size or suggested_size(train.images),
    )
    return Detection(text, findings)


def _folders(root: Path, start: str) -> Detection:
    images, masks = _first(root, _IMAGE_FOLDERS), _first(root, _MASK_FOLDERS)
    if images is None:
        raise BadDataset(
            f"{root} has no folder of images",
            remedy=f"expected {', '.join(_IMAGE_FOLDERS)}, or one of: "
            + "; ".join(layout.title for layout in layouts.KNOWN.values()),
        )
    pool = list_pool(images)
    findings = ["layout: folders", f"{images.name}/: {len(pool)} images, {survey.sizes(pool)}"]
    split = Split(images=pool, masks=masks)
    values = survey.mask_values(split)
    names, certain = _names(root, values)
    if masks is None:
        findings.append("no masks: labels must come from a CSV")
    else:
        findings += [f"{masks.name}/:", *values.findings(names, _IGNORE)]
    if not certain:
        findings.append("class names are not known: edit [classes] in dataset.toml")
    colours = survey.palette(split, len(names)) or default_colours(len(names))
    text = _FOLDERS.format(
        root=_quoted(start),
        size=suggested_size(pool),
        train=_split_lines(root, images, masks),
        val=_val_lines(root),
        names=_toml_list(names),
        colours=_toml_list([hexadecimal(colour) for colour in colours]),
        ignore=_IGNORE,
    )
    return Detection(text, findings)


def _names(root: Path, values: survey.MaskValues) -> tuple[list[str], bool]:
    """Class names, and whether they are known: from classes.txt, or counted from the masks."""
    least = max((value for value in values.counts if value != _IGNORE), default=1) + 1
    path = root / "classes.txt"
    if not path.is_file():
        return [f"class {index}" for index in range(max(2, least))], False
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataset(f"{path} cannot be read: {error}", remedy="save it as UTF-8") from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not max(2, least) <= len(names) <= 255 or len(set(names)) < len(names):
        raise BadDataset(
            f"{path} has {len(names)} names, the masks hold values up to {least - 1}",
            remedy="one name per line, all different, the first is mask value 0",
        )
    return names, True


def suggested_size(pool: Index) -> str:
    """HEIGHTxWIDTH of a grid that suits the images of a pool. Raises BadDataset."""
    height, width = survey.sizes(pool).commonest
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    sides = [height, width] if scale == 1 else [16 * round(s * scale / 16) for s in (height, width)]
    return "x".join(str(max(32, side)) for side in sides)


def _first(root: Path, names: Sequence[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _split_lines(root: Path, images: Path, masks: Path | None, *, labels: bool = True) -> str:
    lines = [f"images = {_quoted(images.relative_to(root).as_posix())}"]
    if masks is not None:
        lines.append(f"masks = {_quoted(masks.relative_to(root).as_posix())}")
    if labels and (root / "labels.csv").is_file():
        lines.append('labels = "labels.csv"')
    return "\n".join(lines)


def _val_lines(root: Path) -> str:
    images, masks = _first(root / "val", _IMAGE_FOLDERS), _first(root / "val", _MASK_FOLDERS)
    if images is None or masks is None:
        return '# [val]\n# images = "val/images"\n# masks = "val/masks"'
    return "[val]\n" + _split_lines(root, images, masks, labels=False)


def _toml_list(values: Sequence[str]) -> str:
    inner = "".join(f"    {_quoted(value)},\n" for value in values)
    return f"[\n{inner}]"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)


_SIZE = """\
# HEIGHTxWIDTH of the network's grid. Images are scaled to fit into it, never distorted.
size = "{size}"
"""

_PUBLISHED = f"""\
version = 1
# {{title}}: its classes, folders and lists are known.
layout = "{{name}}"
# Where those folders are, relative to this file.
root = {{root}}
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
root = {{root}}
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
