"""Labelled pixels in a CSV with the columns image,row,col,label.

Coordinates count from 0 in the original, upright image. `label` is a class name or an index; empty
means asked but not labelled. A row with "skip" in a column `answer` is ignored, as are columns
other than these and `height` and `width`, the size of the image. So a ranking.csv with an added
label column is a labels file, too. Every row has as many fields as the header.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadLabels
from scorer.files import replacing
from scorer.labels import spreadsheet
from scorer.labels.answer import ANSWERS
from scorer.labels.click import Click, Labels
from scorer.labels.conflict import REFUSE, settle

COLUMNS = ("image", "row", "col", "label")
Row = Mapping[str, str]
REMEDY = "labels are a UTF-8 CSV with the header image,row,col,label"


@dataclass(frozen=True)
class _Line:
    """The answer in a row. label: a class index; answer: unsure, skip, or label."""

    pixel: tuple[str, int, int]
    answer: str | None
    label: int | None
    word: str

    @property
    def answered(self) -> tuple[str | None, int | None]:
        return self.answer, self.label


def read(path: Path, classes: Sequence[str], *, on_conflict: str = REFUSE) -> Labels:
    """Read a labels file. Raises BadLabels, with the line number, for a row that cannot be
    understood.

    on_conflict: the rule for contradictory answers, where later lines are newer.
    """
    lines, sizes = [], dict[str, tuple[int, int]]()
    for row, where in rows(path):
        line = _line(row, classes, where)
        lines.append(line)
        _keep_size(line.pixel[0], row, where, sizes)
    clicks: dict[str, list[Click]] = defaultdict(list)
    try:
        kept = settle(lines, on_conflict).kept
    except BadLabels as error:
        raise BadLabels(f"{path}: {error}", remedy=error.remedy) from error
    for line in kept:
        if line.answer != "skip":  # a skipped pixel is asked for again
            image, row_, col = line.pixel
            clicks[image].append(Click(row_, col, line.label))
    return Labels(dict(clicks), sizes)


def rows(path: Path) -> Iterator[tuple[Row, str]]:
    """Yield the rows of a labels CSV, each with its position for messages; empty rows are ignored.

    Raises BadLabels for a file without one of COLUMNS, and for a row whose number of fields differs
    from the header's, as its label would be read from another column.
    """
    try:
        yield from _rows(path)
    except FileNotFoundError as error:
        raise BadLabels(f"{path} does not exist", remedy=REMEDY) from error
    except UnicodeError as error:
        raise BadLabels(
            f"{path} cannot be read: it is not UTF-8", remedy="save it as a CSV in UTF-8"
        ) from error
    except (OSError, csv.Error) as error:
        raise BadLabels(f"{path} cannot be read: {error}", remedy=REMEDY) from error


def _rows(path: Path) -> Iterator[tuple[Row, str]]:
    with spreadsheet.opened(path) as sheet:
        _check_header(sheet.header, path)
        for fields, line in sheet.rows():
            where = f"{path} line {line}"
            if len(fields) != len(sheet.header):
                raise BadLabels(
                    f"{where} has {len(fields)} fields, the header {len(sheet.header)}: "
                    f"{', '.join(sheet.header)}",
                    remedy="correct that line; if lines of another file were added, import each "
                    "file into a label store with: scorer labels import FILE",
                )
            yield dict(zip(sheet.header, fields, strict=True)), where


def _check_header(header: Sequence[str], path: Path) -> None:
    if not header:
        raise BadLabels(f"{path} is empty, or begins with an empty line", remedy=REMEDY)
    if missing := [name for name in COLUMNS if name not in header]:
        raise BadLabels(
            f"{path}: no column named {', '.join(missing)}; its first line is {' | '.join(header)}",
            remedy="name the columns in the first line: image,row,col,label",
        )
    if twice := [name for name in header if header.count(name) > 1 and name]:
        raise BadLabels(f"{path}: two columns are named {twice[0]}", remedy=REMEDY)


def write(path: Path, labels: Labels, classes: Sequence[str]) -> None:
    """Write labels with class names, images sorted; replaces the file atomically."""
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_written(labels, classes))


def _written(labels: Labels, classes: Sequence[str]) -> Iterator[tuple[str, int, int, str]]:
    for image in sorted(labels.clicks):
        for click in labels.of(image):
            label = "" if click.label is None else classes[click.label]
            yield image, click.row, click.col, label


def _line(row: Row, classes: Sequence[str], where: str) -> _Line:
    if not row["image"]:
        raise BadLabels(f"{where}: expected image,row,col,label", remedy=REMEDY)
    label = class_index(row["label"].strip(), classes, where)
    answer = answer_of(row, where, has_class=label is not None)
    place = coordinate(row["row"], "row", where), coordinate(row["col"], "col", where)
    word = answer or "" if label is None else classes[label]
    # './a.jpg' and 'a.jpg' are one image
    return _Line((row["image"].removeprefix("./"), *place), answer, label, word)


def answer_of(row: Row, where: str, *, has_class: bool) -> str | None:
    """The value of the column `answer` or, without it, "label" if there is a class; None for no
    answer.

    Raises BadLabels for contradictory values.
    """
    answer = row.get("answer", "").strip() or ("label" if has_class else None)
    if answer is not None and answer not in ANSWERS:
        raise BadLabels(f"{where}: {answer!r} is no answer", remedy=f"one of {', '.join(ANSWERS)}")
    if answer == "label" and not has_class:
        raise BadLabels(f"{where}: the answer is label, and label is empty", remedy=REMEDY)
    if answer not in {None, "label"} and has_class:
        raise BadLabels(
            f"{where}: {answer} and {row['label'].strip()} at once", remedy="choose one of the two"
        )
    return answer


def _keep_size(image: str, row: Row, where: str, sizes: dict[str, tuple[int, int]]) -> None:
    if not (row.get("height") and row.get("width")):
        return
    size = coordinate(row["height"], "height", where), coordinate(row["width"], "width", where)
    if sizes.setdefault(image, size) != size:
        before = sizes[image]
        raise BadLabels(
            f"{where}: {image} is {size[0]}x{size[1]} (height x width), in a line before "
            f"{before[0]}x{before[1]}",
            remedy="labels are of the image at its own size",
        )


def coordinate(text: str, column: str, where: str) -> int:
    """Parse a whole number from 0 up. Raises BadLabels, naming the position."""
    value = spreadsheet.whole(text)
    if value is None:
        comma = ", with a decimal comma" if spreadsheet.has_decimal_comma(text) else ""
        raise BadLabels(
            f"{where}: {column} is {text!r}{comma}; expected a whole number from 0 up",
            remedy="pixels are counted in whole numbers: give the column no decimals",
        )
    return value


def class_index(text: str, classes: Sequence[str], where: str) -> int | None:
    """The index of a class, from its name or index; None for an empty text. Raises BadLabels."""
    if not text:
        return None
    if text in classes:
        return classes.index(text)
    index = spreadsheet.whole(text)
    if index is not None and index < len(classes):
        return index
    raise BadLabels(f"{where}: unknown label {text!r}", remedy=f"classes: {_listing(classes)}")


def _listing(classes: Iterable[str]) -> str:
    return ", ".join(f"{index} {name}" for index, name in enumerate(classes))
