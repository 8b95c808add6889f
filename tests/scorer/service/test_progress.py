"""What the models of a session say together: the trend, the curve, when nothing moves any more."""

import os
from pathlib import Path

import pytest

from scorer.labels import learned
from scorer.labels.learned import Learned
from scorer.service.progress import Progress, trend


def model(labels: int, accuracy: float, *, pixels: int = 40, half: float = 0.07) -> Learned:
    audit = {
        "pixels": pixels, "accuracy": accuracy, "accuracy_low": accuracy - half,
        "accuracy_high": accuracy + half, "miou": accuracy / 2, "miou_low": 0.0, "miou_high": 1.0,
    }  # fmt: skip
    return Learned(
        rows=labels, labels=labels, images=5, gathered_and_fitted=1.0, exported=0.5, audit=audit
    )


def test_the_trend_is_over_the_last_hundred_labels() -> None:
    models = [model(20, 0.4), model(95, 0.5), model(110, 0.7), model(200, 0.8)]
    found = trend(models)
    assert found is not None
    assert found.labels == 105
    assert found.accuracy == pytest.approx(0.3)
    assert found.miou == pytest.approx(0.15)
    assert not found.settled
    assert trend(models[:2]) is None, "nothing is that old"
    assert trend([model(20, 0.4, pixels=9), model(200, 0.8)]) is None, "too few random pixels"
    assert trend([]) is None


def test_it_has_settled_when_no_model_leaves_another_ones_interval() -> None:
    still = [model(20 + 40 * step, 0.8 + 0.01 * (step % 2)) for step in range(8)]
    found = trend(still)
    assert found is not None
    assert found.settled == 200
    for other in (
        [*still[:4], model(190, 0.7), *still[5:]],  # one that was worse
        still[3:],  # too short
        [model(20, 0.8), *still[-3:]],  # too few models
        [*still[:-1], model(300, 0.8, half=0.08)],  # its interval is wide
        [*still[:-1], model(300, 0.8, half=0.005)],  # its interval has become small
    ):
        found = trend(other)
        assert found is None or not found.settled


def test_the_file_is_read_again_when_it_has_grown(tmp_path: Path) -> None:
    path = tmp_path / learned.LOG
    progress = Progress(path)
    assert (progress.newest, progress.state(), progress.curve()) == (None, None, [])
    learned.append(path, model(20, 0.5))
    assert progress.newest == model(20, 0.5)
    learned.append(path, Learned(**{**vars(model(130, 0.6)), "audit": None, "confirmed": 0.7}))
    state = progress.state()
    assert state is not None
    assert (state["labels"], state["audit"], state["trend"]) == (130, None, None)
    assert progress.curve()[0]["accuracy"] == 0.5
    assert progress.curve()[1] == {
        "rows": 130, "labels": 130, "confirmed": 0.7, "graph": "", "accuracy": None,
        "accuracy_low": None,
        "accuracy_high": None, "miou": None, "miou_low": None, "miou_high": None,
    }  # fmt: skip
    os.truncate(path, 0)
    assert progress.newest is None


def test_a_long_curve_is_thinned(tmp_path: Path) -> None:
    path = tmp_path / learned.LOG
    for number in range(900):
        learned.append(path, model(number, 0.5))
    assert 200 <= len(Progress(path).curve()) <= 400
