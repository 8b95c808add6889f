"""Records of a live session: its models, a line of live.jsonl each, and doubtful answers.

The training process writes both files beside the label store; the service reads them.
"""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scorer.files import replacing

LOG = "live.jsonl"
DOUBTS = "doubts.json"
FEWEST = 10  # least number of random pixels for a statement about a model
_MOST_BYTES = 64_000_000  # of a file, that are read
MOST_DOUBTS = 100
_SHARES = ("accuracy", "accuracy_low", "accuracy_high", "miou", "miou_low", "miou_high")


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The record of a model.

    rows: of the store at training; labels, images: that it was trained on. gathered_and_fitted,
    exported: seconds. audit: accuracy on random pixels, as in trainer/live/audit.py; None without
    any. confirmed: share of the latest first guesses that annotators confirmed; None for too few.
    graph: hash of its contract.
    """

    rows: int
    labels: int
    images: int
    gathered_and_fitted: float
    exported: float
    audit: dict[str, Any] | None = None
    confirmed: float | None = None
    graph: str = ""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """An answer `given` that is contradicted by a model trained without it: the predicted class has
    this probability.
    """

    image: str
    row: int
    col: int
    given: str
    predicted: str
    probability: float

    @property
    def pixel(self) -> tuple[str, int, int]:
        return self.image, self.row, self.col


def append(path: Path, learned: Learned) -> str:
    """Append the record of a model to the log; returns the line."""
    line = json.dumps(asdict(learned))
    with path.open("a+b") as file:
        is_cut = file.tell() > 0 and not _ends_a_line(path)  # after a kill, or a full disk
        file.write(b"\n" * is_cut + line.encode() + b"\n")
    return line


def read(path: Path) -> list[Learned]:
    """All records, oldest first. Invalid and incomplete lines are ignored."""
    found = []
    for line in _text(path).splitlines():
        try:
            found.append(parse(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def parse(values: dict[str, Any]) -> Learned:
    """Parse a record. Raises ValueError, TypeError or KeyError if it is invalid."""
    found = Learned(**{one.name: values[one.name] for one in fields(Learned) if one.name in values})
    counts = (found.rows, found.labels, found.images)
    if not all(isinstance(one, int) and one >= 0 for one in counts):
        raise ValueError("rows, labels and images are whole numbers")
    shares = [] if found.confirmed is None else [found.confirmed]
    if found.audit is not None:
        shares += [found.audit[name] for name in _SHARES]
        shares += [share for _, share in found.audit.get("by_class", {}).values()]
        if not isinstance(found.audit["pixels"], int):
            raise ValueError("pixels are a whole number")
    times = [found.gathered_and_fitted, found.exported]
    if not all(isinstance(one, int | float) and 0 <= one <= 1 for one in shares) or not all(
        isinstance(one, int | float) and 0 <= one < math.inf for one in times
    ):
        raise ValueError("shares are numbers from 0 to 1, times are seconds")
    return found


def write_doubts(path: Path, doubts: Iterable[Doubt]) -> None:
    """Replace the doubts in the file."""
    with replacing(path) as file:
        file.write(json.dumps([asdict(one) for one in doubts][:MOST_DOUBTS]))


def read_doubts(path: Path) -> list[Doubt]:
    """The doubts of the newest model; none if the file is invalid."""
    try:
        return [Doubt(**one) for one in json.loads(_text(path) or "[]")][:MOST_DOUBTS]
    except (ValueError, TypeError):
        return []


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
