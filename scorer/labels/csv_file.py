"""Clicked pixels, as people keep them: a CSV with the columns image,row,col,label.

Coordinates count from 0 in the ORIGINAL, upright image. `label` is a class name or an index; empty
means asked but not labelled. A row with "skip" in a column `answer` is passed over; other columns
beyond the four are ignored, so an annotated ranking.csv with a label column is a labels file too.
Every row has as many fields as the header.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.files import replacing
from scorer.labels.click import Click, Labels

COLUMNS = ("image", "row", "col", "label")
Row = Mapping[str, str]
REMEDY = "labels are a UTF-8 CSV with the header image,row,col,label"


def read(path: Path, classes: Sequence[str]) -> Labels:
    """Read a labels file; any row that cannot be understood is refused with its line number."""
    clicks: dict[str, list[Click]] = defaultdict(list)
    for row, where in rows(path):
        if row.get("answer", "").strip() == "skip":
            continue  # it is asked again
        # './a.jpg' and 'a.jpg' are one image
        clicks[row["image"].removeprefix("./")].append(_click(row, classes, where))
    return Labels(clicks)


def rows(path: Path) -> Iterator[tuple[Row, str]]:
    """Every row of a labels CSV, and where it stands for a message.

    Raises BadLabels for a file that lacks one of COLUMNS, and for a row that has not as many fields
    as the header: its label would be read from a column of something else.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(header, path)
            for fields in filter(None, reader):
                where = f"{path} line {reader.line_num}"
                if len(fields) != len(header):
                    raise BadLabels(
                        f"{where} has {len(fields)} fields, the header {len(header)}: "
                        f"{', '.join(header)}",
                        remedy="were lines of another file added? bring files together with: "
                        "scorer labels import",
                    )
                yield dict(zip(header, fields, strict=True)), where
    except FileNotFoundError as error:
        raise BadLabels(f"{path} does not exist", remedy=REMEDY) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadLabels(f"{path} cannot be read: {error}", remedy=REMEDY) from error


def _check_header(header: Sequence[str], path: Path) -> None:
    if missing := set(COLUMNS).difference(header):
        raise BadLabels(f"{path}: no column named {', '.join(sorted(missing))}", remedy=REMEDY)
    if twice := [name for name in header if header.count(name) > 1 and name]:
        raise BadLabels(f"{path}: two columns are named {twice[0]}", remedy=REMEDY)


def write(path: Path, labels: Labels, classes: Sequence[str]) -> None:
    """Write labels with class names, images sorted; replaces the file in one step."""
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_rows(labels, classes))


def _rows(labels: Labels, classes: Sequence[str]) -> Iterator[tuple[str, int, int, str]]:
    for image in sorted(labels.clicks):
        for click in labels.of(image):
            label = "" if click.label is None else classes[click.label]
            yield image, click.row, click.col, label


def _click(row: Row, classes: Sequence[str], where: str) -> Click:
    if not row["image"]:
        raise BadLabels(f"{where}: expected image,row,col,label", remedy=REMEDY)
    return Click(
        coordinate(row["row"], "row", where),
        coordinate(row["col"], "col", where),
        class_index(row["label"].strip(), classes, where),
    )


def coordinate(text: str, column: str, where: str) -> int:
    """A whole number from 0 up; BadLabels that says where it is not."""
    try:
        value = int(text) if "_" not in text else -1
    except ValueError:
        value = -1
    if value < 0:
        raise BadLabels(
            f"{where}: {column} is {text!r}, expected a whole number from 0 up", remedy=REMEDY
        )
    return value


def class_index(text: str, classes: Sequence[str], where: str) -> int | None:
    """Of a name or an index; None where nothing is written."""
    if not text:
        return None
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and len(text) <= 3 and int(text) < len(classes):
        return int(text)
    raise BadLabels(f"{where}: unknown label {text!r}", remedy=f"classes: {_listing(classes)}")


def _listing(classes: Iterable[str]) -> str:
    return ", ".join(f"{index} {name}" for index, name in enumerate(classes))
