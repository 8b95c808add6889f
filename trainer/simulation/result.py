"""The result of a round, its file, and the table of all results."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from scorer.contract import ACQUISITIONS
from scorer.errors import BadInput
from scorer.files import replacing, replacing_path

START = "start"  # the folder of round 0
COLUMNS = (
    "seed", "acquisition", "round", "labels", "share", "miou", "accuracy", "epistemic", "aleatoric",
    "posterior", "nonnegative", "distance", "unique",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a round; iou: by class. The chosen pixels are measured by the model that chose
    them.
    """

    seed: int
    acquisition: str
    round: int
    labels: int
    share: float
    miou: float
    accuracy: float
    iou: tuple[float, ...]
    epistemic: float = math.nan
    aleatoric: float = math.nan
    posterior: float = math.nan
    nonnegative: float = math.nan
    distance: float = math.nan
    unique: float = math.nan


def folder_of(out: Path, seed: int, acquisition: str, number: int) -> Path:
    """The folder of a round; round 0 is shared by all acquisitions."""
    return out / f"seed-{seed}" / (acquisition if number else START) / f"round-{number}"


def result_path(folder: Path) -> Path:
    """The file that is written last: a round is finished if it exists."""
    return folder / "result.json"


def write(folder: Path, result: Result) -> None:
    """Write the result of a finished round."""
    with replacing(result_path(folder)) as file:
        file.write(json.dumps(asdict(result), indent=1) + "\n")


def history(out: Path, seed: int, acquisition: str) -> list[Result]:
    """The finished rounds of an acquisition, round 0 first."""
    found = []
    for number in count():
        path = result_path(folder_of(out, seed, acquisition, number))
        if not path.is_file():
            break
        values = read(path)
        iou = tuple(values.pop("iou"))
        found.append(Result(**{**values, "iou": iou, "acquisition": acquisition}))
    return found


def results(out: Path, acquisitions: Sequence[str]) -> Iterator[Result]:
    """Yield the results of all finished rounds in a campaign's folder; those of round 0 once for
    every acquisition that is there or in `acquisitions`.
    """
    for folder in sorted(out.glob("seed-*"), key=lambda one: _number(one.name)):
        seed = _number(folder.name)
        there = {one.name for one in folder.iterdir() if one.is_dir()}
        for acquisition in ACQUISITIONS:
            if acquisition in there or acquisition in acquisitions:
                yield from history(out, seed, acquisition)


def write_table(path: Path, rows: Sequence[Result], classes: Sequence[str]) -> None:
    """Write a CSV with one row per round."""
    with (
        replacing_path(path, shared=True) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, *(f"iou {name}" for name in classes)))
        for one in rows:
            values = asdict(one)
            numbers = [*(values[name] for name in COLUMNS), *one.iou]
            writer.writerow([_told(value) for value in numbers])


def read(path: Path) -> dict[str, Any]:
    """Read a JSON file of a campaign. Raises BadInput, naming it, if that fails."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return dict(found.items())
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{path} cannot be read: {error}", remedy="remove its folder: the round is done again"
        ) from error


def _number(name: str) -> int:
    """The number in a name such as seed-3 or round-3."""
    return int(name.rpartition("-")[2])


def _told(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
