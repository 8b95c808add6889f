"""What the models of a live session have learned, a line of live.jsonl each, and what they doubt.

The process that learns writes both files beside the label store; the service reads them.
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
FEWEST = 10  # random pixels below which nothing is said of a model
_MOST_BYTES = 64_000_000  # of a file that is read
MOST_DOUBTS = 100
_SHARES = ("accuracy", "accuracy_low", "accuracy_high", "miou", "miou_low", "miou_high")


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A model. rows: of the store that it has seen; labels, images: that it learned from.
    gathered_and_fitted, exported: seconds. audit: what random pixels say of it, as
    trainer/live/audit.py has it; None without any. confirmed: of the last first guesses, the share
    that annotators confirmed; None before there were enough. graph: the hash of its contract.
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
    """An answer `given` that a model contradicts which was fitted without it: it gives the pixel
    another class, with this probability.
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
    """Keep the line of a model; the line."""
    line = json.dumps(asdict(learned))
    with path.open("a+b") as file:
        is_cut = file.tell() > 0 and not _ends_a_line(path)  # by a kill, or a full disk
        file.write(b"\n" * is_cut + line.encode() + b"\n")
    return line


def read(path: Path) -> list[Learned]:
    """All models so far, oldest first. A line that is none, or half written, is passed over."""
    found = []
    for line in _text(path).splitlines():
        try:
            found.append(parse(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def parse(values: dict[str, Any]) -> Learned:
    """A line of JSON. Raises ValueError, TypeError or KeyError for what is none."""
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
    """In place of those before."""
    with replacing(path) as file:
        file.write(json.dumps([asdict(one) for one in doubts][:MOST_DOUBTS]))


def read_doubts(path: Path) -> list[Doubt]:
    """Those of the newest model; none where the file is none of ours."""
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
