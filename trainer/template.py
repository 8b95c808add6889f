"""Templates of dataset.toml, with comments that explain it."""

import json
from collections.abc import Sequence
from pathlib import Path

from scorer.images.colours import hexadecimal
from trainer import mask_name
from trainer.meaning import Meaning

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
# Images in one folder, masks in another.
layout = "folders"
# Where those folders are, relative to this file.
root = {{root}}
{_SIZE}
# What to learn from. masks: class indices (grey or palette PNG), or class colours (RGB).
# mask_name: how the file of a mask is called, if not as its image with .png.
# labels: a CSV image,row,col,label of clicked pixels; with it, masks are not needed.
[train]
{{train}}

# What to measure on: images with full masks. Optional.
{{val}}

[classes]
# By index: the first name is mask value 0{{exception}}.
names = {{names}}
{{values}}# For pictures, and for masks in colours. Optional: without them, ours are taken.
colours = {{colours}}
# The mask value that means: not labelled.
ignore = {{ignore}}
"""
_NO_VAL = '# [val]\n# images = "val/images"\n# masks = "val/masks"'


def published(*, name: str, title: str, root: str, size: str) -> str:
    """The dataset.toml of a published dataset."""
    return _PUBLISHED.format(name=name, title=title, root=_quoted(root), size=size)


def folders(*, root: str, size: str, train: str, val: str | None, meaning: Meaning) -> str:
    """The dataset.toml of a user's folders; train, val: tables written by `split`."""
    values = meaning.values
    return _FOLDERS.format(
        root=_quoted(root),
        size=size,
        train=train,
        val=_NO_VAL if val is None else f"[val]\n{val}",
        names=_list([_quoted(name) for name in meaning.names]),
        exception="" if values is None else ", unless values says another",
        values="" if values is None else f"values = {list(values)}\n",
        colours=_list([_quoted(hexadecimal(colour)) for colour in meaning.colours]),
        ignore=meaning.ignore,
    )


def split(
    root: Path, *, images: Path, masks: Path | None, pattern: str, names: Path | None,
    labels: Path | None,
) -> str:  # fmt: skip
    """The keys of [train] or [val], with paths relative to root; names: path of the image list."""
    keys = {"images": images, "masks": masks, "list": names, "labels": labels}
    lines = [
        f"{key} = {_quoted(path.relative_to(root).as_posix())}"
        for key, path in keys.items()
        if path is not None
    ]
    if masks is not None and pattern != mask_name.PATTERN:
        lines.append(f"mask_name = {_quoted(pattern)}")
    return "\n".join(lines)


def _list(values: Sequence[str]) -> str:
    inner = "".join(f"    {value},\n" for value in values)
    return f"[\n{inner}]"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)
