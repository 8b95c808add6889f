"""The table of a folder of masks: for every image of a pool its mask, or why it has none."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadInput

NAME = "masks.csv"
COLUMNS = ("image", "mask", "height", "width", "reason", "detail")


@dataclass(frozen=True)
class Row:
    """A row. mask: path below the folder, or empty; reason: why it is empty."""

    image: str
    mask: str
    reason: str


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of the table. Raises BadInput."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BadInput(f"{path} has not the columns {','.join(COLUMNS)}", remedy=_REMEDY)
            for row in reader:
                if None in row or None in row.values():
                    raise BadInput(
                        f"{path} line {reader.line_num} is cut or too long", remedy=_REMEDY
                    )
                yield Row(row["image"], row["mask"], row["reason"])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read: {error}", remedy=_REMEDY) from error


_REMEDY = "scorer segment writes it: give the same command again"
