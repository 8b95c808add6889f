"""Streaming moments against float64 sums over all passes at once."""

import features
import numpy as np
import oracle
import pytest
import torch
from features import both

from trainer.graph.dropout import widen
from trainer.graph.moments import accumulate, lowered
from trainer.graph.sums import over_other_classes
from trainer.graph.upsampling import upsample


@pytest.mark.parametrize(("name", "classes"), features.CASES)
def test_mean_variance_and_aleatoric_are_those_of_all_passes(name: str, classes: int) -> None:
    moments, passes = both(name, classes)
    np.testing.assert_allclose(moments.mean[0], oracle.mean(passes), atol=1e-5)
    np.testing.assert_allclose(moments.variance[0], oracle.variance(passes), atol=1e-5)
    assert moments.aleatoric is not None
    np.testing.assert_allclose(moments.aleatoric[0], oracle.aleatoric(passes), atol=2e-5)


@pytest.mark.parametrize("name", ["flipping", "spike", "saturated", "contrast 1"])
def test_the_law_of_total_variance_leaves_what_a_single_pass_is_unsure_of(name: str) -> None:
    moments, passes = both(name, 11)
    exact = (passes * (1 - passes)).mean(axis=0)
    within = moments.mean * over_other_classes(moments.mean) - moments.variance
    np.testing.assert_allclose(within[0], exact, rtol=1e-3, atol=1e-6)


def groups(logits: torch.Tensor, passes: int, size: tuple[int, int], few: int):  # type: ignore[no-untyped-def]
    """Upsampled logits of [B, m·C, h, w], `few` passes at a time."""
    low = lowered(logits.unflatten(1, (passes, -1)))
    full = upsample(low.flatten(1, 2), size).flatten(2).unflatten(1, low.shape[1:3])
    return full.split(few, dim=1)


@pytest.mark.parametrize("few", [1, 3, 5])
def test_how_many_passes_are_taken_at_a_time_changes_nothing(few: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 7 * 3, 4, 4)
    once, split = (
        accumulate(groups(logits, 7, (9, 9), taken), 7, aleatoric=True) for taken in (7, few)
    )
    np.testing.assert_allclose(split.mean, once.mean, atol=1e-6)
    np.testing.assert_allclose(split.variance, once.variance, atol=1e-7)
    np.testing.assert_allclose(split.aleatoric, once.aleatoric, atol=1e-6)


def test_without_dropout_the_variance_is_zero() -> None:
    classifier = torch.nn.Conv2d(8, 3, 1)
    with torch.no_grad():
        logits = widen(classifier, torch.ones(5, 8), rate=0.2)(torch.randn(1, 8, 4, 4))
        equal = torch.cat([logits[:, 3:6]] * 5, dim=1)
        moments = accumulate(groups(equal, 5, (16, 16), 4), 5, aleatoric=False)
    assert moments.variance.abs().max() <= 1e-14
    assert moments.aleatoric is None


def test_a_constant_added_to_all_logits_changes_nothing() -> None:
    logits = torch.randn(1, 5 * 3, 4, 4)
    plain, shifted = (
        accumulate(groups(x, 5, (9, 9), 2), 5, aleatoric=True) for x in (logits, logits + 500)
    )
    np.testing.assert_allclose(plain.mean, shifted.mean, atol=1e-4)


@pytest.mark.parametrize("gap", [150.0, 300.0, 1000.0])
def test_opposite_leaders_side_by_side_leave_probabilities_that_sum_to_one(gap: float) -> None:
    point = torch.tensor([gap, 0.0])
    logits = torch.stack((point, point.flip(0))).T.view(1, 2, 1, 2).repeat(1, 2, 1, 1)
    moments = accumulate(groups(logits, 2, (1, 8), 2), 2, aleatoric=True)
    np.testing.assert_allclose(moments.mean.sum(dim=1), 1, atol=1e-5)


def test_the_sum_of_the_other_classes_keeps_the_digits_of_a_near_certain_one() -> None:
    mean = torch.tensor([1 - 3e-7, 2e-7, 1e-7]).view(1, 3, 1)
    assert float(over_other_classes(mean)[0, 0]) == pytest.approx(3e-7, rel=1e-6)
    assert float(over_other_classes(mean)[0, 1]) == pytest.approx(1 - 2e-7, rel=1e-6)


@pytest.mark.parametrize("size", [1e3, 1e7, 1e9, 1e20, 1e37])
def test_logits_without_bounds_give_probabilities(size: float) -> None:
    logits = size * torch.randn(1, 4, 3, 5, 7)
    found = accumulate(iter([lowered(logits).flatten(3)]), 4, aleatoric=False)
    assert found.mean.isfinite().all()
    torch.testing.assert_close(found.mean.sum(dim=1), torch.ones(1, 35))
