"""Means over the seeds, and how many labels random needs for the same."""

import csv
import math
from pathlib import Path

import pytest

from trainer.simulation import summary
from trainer.simulation.result import Result


def result(acquisition: str, number: int, labels: int, miou: float, seed: int = 0) -> Result:
    return Result(
        seed=seed, acquisition=acquisition, round=number, labels=labels, share=0.0, miou=miou,
        accuracy=0.0, iou=(), nonnegative=0.02, distance=9.0, unique=2.0,
    )  # fmt: skip


RESULTS = [
    *(result("balentacq", n, 10 * (n + 1), m) for n, m in enumerate((0.40, 0.50, 0.58, 0.70))),
    *(result("balentacq", n, 10 * (n + 1), m, 1) for n, m in enumerate((0.44, 0.54))),
    *(result("random", n, 10 * (n + 1), m) for n, m in enumerate((0.42, 0.46, 0.54, 0.60))),
    *(result("random", n, 10 * (n + 1), m, 1) for n, m in enumerate((0.42, 0.46, 0.54))),
]


def test_a_row_has_mean_and_range_over_the_seeds() -> None:
    rows = {(row.acquisition, row.round): row for row in summary.rows(RESULTS)}
    assert len(rows) == 8
    one = rows["balentacq", 1]
    assert (one.seeds, one.labels, one.miou_least, one.miou_most) == (2, 20, 0.50, 0.54)
    assert one.miou == pytest.approx(0.52)
    assert rows["balentacq", 2].seeds == 1


def test_what_random_needs_lies_on_the_line_between_its_rounds() -> None:
    rows = {(row.acquisition, row.round): row for row in summary.rows(RESULTS)}
    assert rows["balentacq", 1].random_labels == pytest.approx(27.5)  # of .46 at 20, .54 at 30
    assert rows["balentacq", 1].times_fewer == pytest.approx(27.5 / 20)
    assert rows["random", 2].times_fewer == pytest.approx(1)
    assert math.isnan(rows["balentacq", 3].random_labels), "random never gets there"
    alone = [one for one in RESULTS if one.acquisition != "random" or one.seed == 0]
    rows = {(row.acquisition, row.round): row for row in summary.rows(alone)}
    assert math.isnan(rows["balentacq", 1].random_labels), "of other seeds it says nothing"
    assert rows["balentacq", 2].random_labels == pytest.approx(10 * (3 + 4 / 6))


@pytest.mark.parametrize(
    ("miou", "expected"), [(0.3, math.nan), (0.4, 10), (0.45, 15), (0.5, 20), (0.9, math.nan)]
)
def test_the_first_crossing_counts(miou: float, expected: float) -> None:
    line = [(10.0, 0.4), (20.0, 0.5), (30.0, 0.45), (40.0, 0.55)]
    assert summary.needed(line, miou) == pytest.approx(expected, nan_ok=True)


def test_without_random_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    found = summary.rows([one for one in RESULTS if one.acquisition != "random"])
    summary.write(tmp_path / "summary.csv", found)
    with (tmp_path / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["times_fewer"] for row in rows} == {""}
    assert rows[1]["miou"] == "0.52"
