"""Points as CSV: image,row,col,label as in scorer/labels/csv_file.py, and their other fields."""

import csv
from collections.abc import Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Sizes
from scorer.exchange.point import Point, within
from scorer.exchange.reading import Reading
from scorer.files import replacing
from scorer.labels import csv_file
from scorer.labels.csv_file import Row, coordinate

_SIZES = ("height", "width", "grid_height", "grid_width")
COLUMNS = (*csv_file.COLUMNS, *_SIZES, "answer", "rank", "score")


def write(path: Path, points: Sequence[Point], _classes: Sequence[str]) -> None:
    """Write one row per point; `label` is the class, `answer` also tells unsure and skip."""
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in points:
            sizes = (one.height, one.width, one.grid_height, one.grid_width)
            place = (one.image, one.row, one.col, one.class_name)
            writer.writerow([*place, *sizes, one.answer, one.rank, one.score])


def read(path: Path, _name: str, reading: Reading) -> list[Point]:
    """Read points from a labels CSV; missing image sizes are looked up. Raises BadLabels.

    Without a column `answer`, a row with a label is answered and a row without is not.
    """
    reading.is_ordered = True
    return [_point(row, reading, where) for row, where in csv_file.rows(path)]


def _point(row: Row, reading: Reading, where: str) -> Point:
    place = coordinate(row["row"], "row", where), coordinate(row["col"], "col", where)
    rank, stated = _optional(row, "rank", where), _sizes(row, where)
    class_name = _class(row["label"], reading.classes, where)
    answer = csv_file.answer_of(row, where, has_class=class_name is not None)
    with within(where):
        image = reading.image(row["image"].removeprefix("./"))
        sizes = stated or reading.catalogue.size(image)
        return Point(
            image=image,
            row=place[0],
            col=place[1],
            height=sizes.height,
            width=sizes.width,
            grid_height=sizes.grid_height,
            grid_width=sizes.grid_width,
            answer=answer,
            class_name=class_name,
            rank=rank,
            score=_score(row),
        )


def _class(text: str, classes: Sequence[str], where: str) -> str | None:
    """The name of a class, from its name, which may contain spaces, or its index."""
    if text in classes:
        return text
    index = csv_file.class_index(text.strip(), classes, where)
    return None if index is None else classes[index]


def _sizes(row: Row, where: str) -> Sizes | None:
    height, width, grid_height, grid_width = (_optional(row, name, where) for name in _SIZES)
    if (height is None) != (width is None):
        raise BadLabels(
            f"{where}: it has one of height and width, and the other is empty",
            remedy="give both, or neither",
        )
    return Sizes(height, width, grid_height, grid_width) if height and width else None


def _optional(row: Row, column: str, where: str) -> int | None:
    return coordinate(row[column], column, where) if row.get(column) else None


def _score(row: Row) -> float | None:
    try:
        return float(row["score"]) if row.get("score") else None
    except ValueError as error:
        raise BadLabels(
            f"score is {row['score']!r}, expected a number",
            remedy="correct the file, or export it from the tool again",
        ) from error
