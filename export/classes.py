"""What the classes of somebody's network are called: from a file, or from its metadata."""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorer.errors import BadInput

_KEYS = ("id2label", "names", "classes", "class_names", "labels")
_LARGEST = 4_000_000  # bytes; class names are a few kilobytes
_BINARY = "background"
_REMEDY = "one name per line, or JSON: a list, or a model's config.json with id2label"


def named(
    count: int, metadata: Mapping[str, str], path: Path | None
) -> tuple[tuple[str, ...], str]:
    """Names of `count` classes, and in words where they come from.

    A single name for two classes is that of the foreground. Raises BadInput for a file that does
    not hold so many names; metadata that do not are passed over.
    """
    if path is not None:
        names = _completed(_read(path), count)
        if len(names) != count or len(set(names)) != count:
            raise BadInput(
                f"{path} has {len(names)} names ({len(set(names))} different ones), the network "
                f"{count} classes",
                remedy=f"expected {_REMEDY}",
            )
        return names, str(path)
    for key in _KEYS:
        found = _completed(_listed(_parsed(metadata.get(key, ""))), count)
        if len(found) == count == len(set(found)):
            return found, f"the network's metadata ({key})"
    if count == 2:
        return (_BINARY, "foreground"), "no file and no metadata: --classes gives better ones"
    names = tuple(f"class {index}" for index in range(count))
    return names, "no file and no metadata: --classes gives better ones"


def _read(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path} is too large to be a list of classes", remedy=_REMEDY)
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", remedy=f"expected {_REMEDY}") from error
    if path.suffix.lower() != ".json":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}", remedy=f"expected {_REMEDY}") from error
    if isinstance(content, dict):
        content = next((content[key] for key in _KEYS if key in content), content)
    return _listed(content)


def _parsed(text: str) -> Any:
    """JSON, a Python literal, or names between commas, as exporters write them into metadata."""
    if len(text) > _LARGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return [name for part in text.split(",") if (name := part.strip())]


def _listed(content: Any) -> tuple[str, ...]:
    """Names in the order of their indices; empty for what holds none."""
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
