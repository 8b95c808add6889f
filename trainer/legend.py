"""Reads names, colours and mask values of classes from the files of annotation tools."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadDataset, BadInput
from scorer.images.colours import Colour
from scorer.labels import class_name

_IGNORE = "__ignore__"  # labelme's first line: it has no index, and 255 in the masks
_NUMBERED = re.compile(r"(\d+)\s*[:,;\s]\s*(\S.*)")
_CVAT = re.compile(r"(.+?):(\d+),(\d+),(\d+):.*")
_COLOURED = re.compile(r"(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)")


@dataclass(frozen=True, kw_only=True)
class Legend:
    """Classes that a file defines. path: the file. names: by index. colours, values: colour and
    mask value of each name; None if the file does not give them.
    """

    path: Path
    names: tuple[str, ...]
    colours: tuple[Colour, ...] | None = None
    values: tuple[int, ...] | None = None


def find(places: Iterable[Path]) -> Legend | None:
    """The legend in the first of these folders that has one; None without any. Raises
    BadDataset.
    """
    for place in places:
        for name, reader in _FILES.items():
            if (path := place / name).is_file():
                try:
                    return _checked(reader(path, path.read_text("utf-8-sig")))
                except (OSError, ValueError, BadInput) as error:
                    raise BadDataset(
                        f"{path} cannot be read: {error}",
                        remedy="one name per line, all different, the first is mask value 0; in "
                        "UTF-8",
                    ) from error
    return None


def _checked(legend: Legend) -> Legend:
    if len(legend.names) < 2:
        raise ValueError(f"it has {len(legend.names)} names, at least two are needed")
    for index, name in enumerate(legend.names):
        class_name.check(name, legend.names[:index])
    values = legend.values or (0,)
    if len(set(values)) < len(values) or max(values) > 255:
        raise ValueError("mask values are different ones from 0 to 255")
    return legend


def _lines(path: Path, text: str) -> Legend:
    """Read one name per line, each with or without its mask value in front."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0] == _IGNORE:
        lines = lines[1:]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if lines and all(numbered):
        return _with_values(path, [(one[2], int(one[1])) for one in numbered if one])
    return Legend(path=path, names=tuple(lines))


def _with_values(path: Path, rows: Sequence[tuple[str, int]]) -> Legend:
    names, values = zip(*sorted(rows, key=lambda row: row[1]), strict=True)
    return Legend(path=path, names=names, values=values)


def _cvat(path: Path, text: str) -> Legend:
    """Read CVAT's labelmap.txt: name:red,green,blue:parts:actions."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    found = [_CVAT.fullmatch(line) for line in lines]
    if not all(found):
        return _lines(path, "\n".join(lines))
    return _coloured(path, [(one[1], [*map(int, one.groups()[1:])]) for one in found if one])


def _camvid(path: Path, text: str) -> Legend:
    """Read CamVid's label_colors.txt: red green blue name."""
    found = [_COLOURED.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
    if not found or not all(found):
        raise ValueError("expected lines of red green blue name")
    return _coloured(path, [(one[4], [*map(int, one.groups()[:3])]) for one in found if one])


def _coloured(path: Path, rows: Sequence[tuple[str, Sequence[int]]]) -> Legend:
    """A legend of names with red, green and blue. Raises ValueError."""
    try:
        colours = tuple((red, green, blue) for _, (red, green, blue) in rows)
    except ValueError as error:
        raise ValueError("a colour has red, green and blue") from error
    if len(set(colours)) < len(colours) or max(map(max, colours), default=0) > 255:
        raise ValueError("colours are different ones of values from 0 to 255")
    return Legend(path=path, names=tuple(name for name, _ in rows), colours=colours)


def _table(path: Path, text: str) -> Legend:
    """Read a CSV with a header: a name, and its mask value or red, green and blue."""
    rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    body = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    name = _column(header, ("name", "class", "label", "class name", "class_name"))
    colour = [_column(header, names) for names in (("r", "red"), ("g", "green"), ("b", "blue"))]
    value = _column(header, ("pixel value", "value", "id", "index", "class id", "class_id"))
    if name is None:
        raise ValueError("it has no column name or class")
    try:
        names = [row[name].strip() for row in body]
        places = [place for place in colour if place is not None]
        if len(places) == 3:
            colours = [[int(row[place]) for place in places] for row in body]
            return _coloured(path, list(zip(names, colours, strict=True)))
        if value is not None:
            numbers = [int(row[value]) for row in body]
            return _with_values(path, list(zip(names, numbers, strict=True)))
    except IndexError as error:
        raise ValueError("a row has too few fields") from error
    return Legend(path=path, names=tuple(names))


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _supervisely(path: Path, text: str) -> Legend:
    """Read Supervisely's obj_class_to_machine_color.json: three numbers per name, which are equal
    if they are its mask value; 0 is the background.
    """
    table = json.loads(text)
    try:
        rows = [(str(name), [int(one) for one in colour]) for name, colour in table.items()]
    except (AttributeError, TypeError) as error:
        raise ValueError("expected names with red, green and blue") from error
    if any(len(set(colour)) != 1 for _, colour in rows):
        return _coloured(path, rows)
    values = [(name, colour[0]) for name, colour in rows]
    if 0 not in {value for _, value in values}:
        values.insert(0, ("background", 0))
    return _with_values(path, values)


_FILES: dict[str, Callable[[Path, str], Legend]] = {
    "classes.txt": _lines,
    "class_names.txt": _lines,
    "labelmap.txt": _cvat,
    "labels.txt": _lines,
    "_classes.csv": _table,
    "class_dict.csv": _table,
    "classes.csv": _table,
    "label_colors.txt": _camvid,
    "obj_class_to_machine_color.json": _supervisely,
}
