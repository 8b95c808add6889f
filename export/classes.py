"""The class names of an ONNX network, from a file or from the network's metadata."""

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scorer.errors import BadInput
from scorer.images.colours import Colour

_KEYS = ("id2label", "names", "classes", "class_names", "labels")
_RGB = r"(?P<r>\d{1,3})[\s,;]+(?P<g>\d{1,3})[\s,;]+(?P<b>\d{1,3})"
_COLOUR_LAST = re.compile(rf"(?P<name>[^,;\t]+?)\s*[\s,;]\s*{_RGB}$")
_COLOUR_FIRST = re.compile(rf"{_RGB}[\s,;]+(?P<name>[^,;\t]+)$")
_HEADER = re.compile(r"\bname\b|\bclass\b|\blabel\b", re.IGNORECASE)
_LARGEST = 4_000_000  # bytes; class names are a few kilobytes
_BINARY = "background"
_REMEDY = (
    "one name per line, alone or with its colour as name,r,g,b, or JSON: a list, or a model's "
    "config.json with id2label"
)


class Named(NamedTuple):
    """Class names, a description of their origin, and their colours where known."""

    names: tuple[str, ...]
    origin: str
    colours: tuple[Colour, ...] | None = None


def named(count: int, metadata: Mapping[str, str], path: Path | None) -> Named:
    """The names of `count` classes, from the file `path` or else from the network's metadata.

    A single name for two classes is that of the foreground. Raises BadInput for a file with another
    number of names; metadata with another number are ignored.
    """
    if path is not None:
        found, colours = _read(path)
        names = _completed(found, count)
        if len(names) != count or len(set(names)) != count:
            raise BadInput(
                f"{path} has {len(names)} names ({len(set(names))} different ones), the network "
                f"{count} classes",
                remedy=f"expected {_REMEDY}",
            )
        return Named(names, str(path), colours if len(colours) == count else None)
    for key in _KEYS:
        found = _completed(_listed(_parsed(metadata.get(key, ""))), count)
        if len(found) == count == len(set(found)):
            return Named(found, f"the network's metadata ({key})")
    nowhere = "no file and no metadata: --classes gives better ones"
    if count == 2:
        return Named((_BINARY, "foreground"), nowhere)
    return Named(tuple(f"class {index}" for index in range(count)), nowhere)


def _read(path: Path) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """The class names in a file, and their colours if every line has one."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path} is too large to be a list of classes", remedy=_REMEDY)
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", remedy=f"expected {_REMEDY}") from error
    if path.suffix.lower() != ".json":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return _coloured(lines, path) or (tuple(lines), ())
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}", remedy=f"expected {_REMEDY}") from error
    if isinstance(content, dict):
        content = next((content[key] for key in _KEYS if key in content), content)
    return _listed(content), ()


def _coloured(lines: list[str], path: Path) -> tuple[tuple[str, ...], tuple[Colour, ...]] | None:
    """Names and colours of lines such as road,128,64,128 or 128 64 128 road, with or without a
    header; None if no line has a colour. Raises BadInput if only some lines have one.
    """
    rows = [_COLOUR_LAST.match(line) or _COLOUR_FIRST.match(line) for line in lines]
    if len(rows) > 1 and rows[0] is None and _HEADER.search(lines[0]):
        del rows[0]
    known = [row for row in rows if row is not None]
    if not known:
        return None
    colours = [(int(row["r"]), int(row["g"]), int(row["b"])) for row in known]
    if len(known) < len(rows) or max(max(colour) for colour in colours) > 255:
        raise BadInput(
            f"{path}: not every line has a colour of three numbers from 0 to 255",
            remedy="write a colour for every class, or for none: name,r,g,b",
        )
    return tuple(row["name"].strip("\"' ") for row in known), tuple(colours)


def _parsed(text: str) -> Any:
    """Parse metadata text: JSON, a Python literal, or names separated by commas."""
    if len(text) > _LARGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return [name for part in text.split(",") if (name := part.strip())]


def _listed(content: Any) -> tuple[str, ...]:
    """Class names in the order of their indices; empty if `content` holds no names."""
    if isinstance(content, dict):
        try:
            by_index = {int(index): name for index, name in content.items()}
        except (TypeError, ValueError):
            return ()
        content = [by_index[index] for index in sorted(by_index)]
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        return ()
    return tuple(content)


def _completed(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return (_BINARY, *names) if count == 2 and len(names) == 1 else names
