"""What random pixels say: intervals that hold the truth as often as they promise."""

import numpy as np
import pytest

from trainer.live.audit import measure, wilson


def test_wilsons_interval_is_the_published_one() -> None:
    """Of 15 of 20 (Brown, Cai & DasGupta 2001 give the formula): 0.531 to 0.888."""
    assert wilson(15, 20) == pytest.approx((0.5313, 0.8881), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_the_interval_holds_the_truth_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        right = int(rng.binomial(60, 0.8))
        low, high = wilson(right, 60)
        held += low <= 0.8 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_an_audit_by_hand() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 1, 1, 1, 0, 2])
    found = measure(truth, predicted, ("sky", "road", "car", "tree"))
    assert found.pixels == 8
    assert found.accuracy == 6 / 8
    assert found.miou == pytest.approx((3 / 5 + 2 / 3 + 1 / 2) / 3)
    assert found.by_class == {"sky": (4, 0.75), "road": (2, 1.0), "car": (2, 0.5)}
    assert found.miou_low < found.miou < found.miou_high
    assert measure(truth, predicted, ("sky", "road", "car", "tree")) == found, "the same draws"
