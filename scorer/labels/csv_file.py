"""Clicked pixels, as people keep them: a CSV with the columns image,row,col,label.

Coordinates count from 0 in the ORIGINAL, upright image. `label` is a class name or an index; empty
means asked but not labelled. A row with "skip" in a column `answer` is passed over; other columns
beyond the four are ignored, so an annotated ranking.csv with a label column is a labels file too.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.files import replacing
from scorer.labels.click import Click, Labels

COLUMNS = ("image", "row", "col", "label")
REMEDY = "labels are a UTF-8 CSV with the header image,row,col,label"


def read(path: Path, classes: Sequence[str]) -> Labels:
    """Read a labels file; any row that cannot be understood is refused with its line number."""
    clicks: dict[str, list[Click]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            missing = set(COLUMNS) - set(rows.fieldnames or ())
            if missing:
                columns = ", ".join(sorted(missing))
                raise BadLabels(f"{path}: no column named {columns}", remedy=REMEDY)
            for row in rows:
                if (row.get("answer") or "").strip() == "skip":
                    continue  # it is asked again
                click = _click(row, classes, f"{path} line {rows.line_num}")
                # './a.jpg' and 'a.jpg' are one image
                clicks[row["image"].removeprefix("./")].append(click)
    except FileNotFoundError as error:
        raise BadLabels(f"{path} does not exist", remedy=REMEDY) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadLabels(f"{path} cannot be read: {error}", remedy=REMEDY) from error
    return Labels(clicks)


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


def _click(row: Mapping[str, str | None], classes: Sequence[str], where: str) -> Click:
    if any(row[column] is None for column in COLUMNS) or not row["image"]:
        raise BadLabels(f"{where}: expected image,row,col,label", remedy=REMEDY)
    return Click(
        coordinate(row["row"], "row", where),
        coordinate(row["col"], "col", where),
        class_index((row["label"] or "").strip(), classes, where),
    )


def coordinate(text: str | None, column: str, where: str) -> int:
    """A whole number from 0 up; BadLabels that says where it is not."""
    try:
        value = int(text or "") if "_" not in (text or "") else -1
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
