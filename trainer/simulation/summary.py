"""Summarises a campaign over its seeds: mean and range per round, and the labels that random
needs.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from scorer.files import replacing_path
from trainer.simulation.result import Result

BASE = "random"


@dataclass(frozen=True)
class Row:
    """A round of an acquisition: means over the seeds that have reached it, and the range of the
    mIoU.

    random_labels: labels that random needs for the same mIoU with the same seeds, interpolated
    linearly between its rounds; NaN if it does not reach it. times_fewer: random_labels divided by
    the labels of this acquisition.
    """

    acquisition: str
    round: int
    seeds: int
    labels: float
    miou: float
    miou_least: float
    miou_most: float
    nonnegative: float
    distance: float
    unique: float
    random_labels: float
    times_fewer: float


def rows(results: Sequence[Result]) -> list[Row]:
    """Summarise all acquisitions and rounds, in the order of the results."""
    groups: dict[tuple[str, int], list[Result]] = {}
    for one in results:
        groups.setdefault((one.acquisition, one.round), []).append(one)
    base = [group for (name, _), group in groups.items() if name == BASE]
    return [
        _row(name, number, group, _line(base, {one.seed for one in group}))
        for (name, number), group in groups.items()
    ]


def _line(base: Sequence[Sequence[Result]], seeds: set[int]) -> list[tuple[float, float]]:
    """(labels, mIoU) of random over the same seeds, for the rounds that all of them have."""
    same = [[one for one in group if one.seed in seeds] for group in base]
    whole = [group for group in same if len(group) == len(seeds)]
    return [(_mean(group, "labels"), _mean(group, "miou")) for group in whole]


def needed(line: Sequence[tuple[float, float]], miou: float) -> float:
    """Labels at which a curve of (labels, mIoU) first reaches a mIoU; NaN if it never does."""
    before: tuple[float, float] | None = None
    for labels, here in line:
        if here >= miou:
            if before is None:
                return labels if here == miou else math.nan
            share = (miou - before[1]) / (here - before[1])
            return before[0] + share * (labels - before[0])
        before = labels, here
    return math.nan


def write(path: Path, found: Sequence[Row]) -> None:
    """Write a CSV."""
    with (
        replacing_path(path, shared=True) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        for row in found:
            writer.writerow([_told(value) for value in astuple(row)])


def _row(name: str, number: int, group: Sequence[Result], line: list[tuple[float, float]]) -> Row:
    mious = [one.miou for one in group]
    labels, miou = _mean(group, "labels"), _mean(group, "miou")
    same = needed(line, miou)
    return Row(
        acquisition=name,
        round=number,
        seeds=len(group),
        labels=labels,
        miou=miou,
        miou_least=min(mious),
        miou_most=max(mious),
        nonnegative=_mean(group, "nonnegative"),
        distance=_mean(group, "distance"),
        unique=_mean(group, "unique"),
        random_labels=same,
        times_fewer=same / labels,
    )


def _told(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"


def _mean(group: Sequence[Result], what: str) -> float:
    return float(np.mean([getattr(one, what) for one in group]))
