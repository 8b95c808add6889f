"""A campaign with a head on a frozen backbone: one look at a photograph, several runs in a folder,
the same tables however often it is cut.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trees
from listeners import Silent

from trainer import dataset
from trainer.fit_options import FitOptions
from trainer.hypercolumns import album
from trainer.hypercolumns.maps import Maps, see
from trainer.recipe import HeadRecipe
from trainer.simulation import campaign
from trainer.simulation.plan import Plan

WORDS = ("--rounds", "2", "--n", "2", "--mc", "3", "--steps", "40", "--acquisitions",
         "balentacq,random", "--stride", "4")  # fmt: skip
PLAN = Plan(
    acquisitions=("balentacq", "margin"),
    rounds=2,
    n=2,
    passes=3,
    stride=2,
    training=FitOptions(recipe=HeadRecipe(steps=20, batch=16)),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    return trees.folders(root, images=5, val=2, size=(48, 64)) / "dataset.toml"


def started(data: Path, out: Path, *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "simulate", "--data", str(data), "--out", str(out),
         *WORDS, *words],
        stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def tables(out: Path) -> tuple[bytes, bytes]:
    return (out / "results.csv").read_bytes(), (out / "summary.csv").read_bytes()


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "campaign"
    assert started(data, out).wait() == 0
    return out


def test_every_photograph_is_looked_at_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []

    def counted(*given: object) -> Maps:
        looks.append(given)
        return see(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(album, "see", counted)
    found = campaign.simulate(dataset.read(data), tmp_path / "out", PLAN, Silent())
    assert len(found) == 6
    assert len(looks) == 5 * len(album.VIEWS) + 2
    assert [one.labels for one in found] == [10, 20, 30] * 2
    assert all(0 <= one.nonnegative <= 1 for one in found if one.round)
    models = sorted(str(p.parent.relative_to(tmp_path)) for p in tmp_path.rglob("*.safetensors"))
    assert [Path(one).name for one in models] == ["round-2", "round-2", "round-0"]


@pytest.mark.slow
def test_two_runs_in_one_folder_do_not_disturb_each_other(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "campaign"
    both = [started(data, out), started(data, out)]
    assert [process.wait() for process in both] == [0, 0]
    assert tables(out) == tables(whole)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_in_the_same_tables(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    out, dice, killed = tmp_path / "campaign", random.Random(0), 0
    for _ in range(4):
        process = started(data, out)
        while not (out / "features.db").exists():
            assert process.poll() is None, "it ended before it began"
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 2
    assert started(data, out).wait() == 0
    assert tables(out) == tables(whole)
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["round"] for row in rows] == ["0", "1", "2"] * 2
    assert {path.name for path in out.glob("*.png")} >= {"miou.png", "clicks.png"}
