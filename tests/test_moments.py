"""Streaming moments against float64 sums over all passes at once."""

import features
import numpy as np
import oracle
import pytest
import torch
from features import both

from trainer.dropout import widen
from trainer.moments import accumulate, complement


@pytest.mark.parametrize(("name", "classes"), features.CASES)
def test_mean_variance_and_aleatoric_are_those_of_all_passes(name: str, classes: int) -> None:
    moments, passes = both(name, classes)
    np.testing.assert_allclose(moments.mean[0], oracle.mean(passes), atol=1e-5)
    np.testing.assert_allclose(moments.between[0], oracle.variance(passes), atol=1e-5)
    assert moments.aleatoric is not None
    np.testing.assert_allclose(moments.aleatoric[0], oracle.aleatoric(passes), atol=2e-5)


@pytest.mark.parametrize("name", ["flipping", "spike", "saturated", "contrast 1"])
def test_the_law_of_total_variance_holds(name: str) -> None:
    moments, passes = both(name, 11)
    exact = (passes * (1 - passes)).mean(axis=0)
    np.testing.assert_allclose(moments.within[0], exact, rtol=1e-3, atol=1e-6)


def test_without_dropout_the_variance_is_exactly_zero() -> None:
    classifier = torch.nn.Conv2d(8, 3, 1)
    with torch.no_grad():
        logits = widen(classifier, torch.ones(5, 8), rate=0.2)(torch.randn(1, 8, 4, 4))
        equal = torch.cat([logits[:, 3:6]] * 6, dim=1)
        moments = accumulate(equal, 5, (16, 16), aleatoric=False)
    assert moments.between.abs().max() == 0
    assert moments.aleatoric is None


def test_a_constant_added_to_all_logits_changes_nothing() -> None:
    logits = torch.randn(1, 6 * 3, 4, 4)
    plain, shifted = (accumulate(x, 5, (9, 9), aleatoric=True) for x in (logits, logits + 500))
    np.testing.assert_allclose(plain.mean, shifted.mean, atol=1e-4)


@pytest.mark.parametrize("gap", [150.0, 300.0, 1000.0])
def test_opposite_leaders_side_by_side_leave_probabilities_that_sum_to_one(gap: float) -> None:
    point = torch.tensor([gap, 0.0])
    logits = torch.stack((point, point.flip(0))).T.view(1, 2, 1, 2).repeat(1, 3, 1, 1)
    moments = accumulate(logits, 2, (1, 8), aleatoric=True)
    np.testing.assert_allclose(moments.mean.sum(dim=1), 1, atol=1e-5)


def test_the_complement_of_a_near_certain_class_keeps_its_digits() -> None:
    mean = torch.tensor([1 - 3e-7, 2e-7, 1e-7]).view(1, 3, 1, 1)
    assert float(complement(mean)[0, 0]) == pytest.approx(3e-7, rel=1e-6)
    assert float(complement(mean)[0, 1]) == pytest.approx(1 - 2e-7, rel=1e-6)
