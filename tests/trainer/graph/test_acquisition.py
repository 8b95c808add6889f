"""The acquisition formulas against the oracle, and at their edges."""

import math

import features
import numpy as np
import oracle
import pytest
import torch
from features import both

from scorer.contract import ACQUISITIONS as NAMES
from scorer.contract import TRAITS
from scorer.selection.noise import uniform
from trainer.graph import acquisition
from trainer.graph.acquisition import ACQUISITIONS
from trainer.graph.moments import Moments

FORMULAS = {
    "entropy": (lambda m: acquisition.entropy(m.mean), oracle.entropy, 1e-5),
    "bald": (acquisition.bald, oracle.bald, 3e-5),
    "margin": (lambda m: acquisition.margin(m.mean), oracle.margin, 1e-5),
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("name", "classes"), features.CASES)
def test_quantities_are_the_oracles(formula: str, name: str, classes: int) -> None:
    ours, exact, tolerance = FORMULAS[formula]
    moments, passes = both(name, classes)
    np.testing.assert_allclose(ours(moments)[0], exact(passes), atol=tolerance)


@pytest.mark.parametrize("name", ["contrast 0.1", "contrast 1", "contrast 3"])
def test_the_posterior_is_the_oracles(name: str) -> None:
    moments, passes = both(name, 11)
    np.testing.assert_allclose(
        acquisition.posterior(moments)[0], oracle.posterior(passes), atol=1e-3
    )


def test_every_acquisition_of_the_contract_has_its_formula() -> None:
    assert tuple(ACQUISITIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_and_only_the_stochastic_ones_need_noise(name: str) -> None:
    moments, _ = both("saturated", 11)
    noise = (
        torch.from_numpy(uniform(0, "x", features.SIZE)).view(1, -1)
        if TRAITS[name].stochastic
        else None
    )
    formula = ACQUISITIONS[name].quantity
    quantity = noise if formula is None else formula(moments)
    assert quantity is not None
    score = ACQUISITIONS[name].score(quantity, noise)
    assert score.shape == (1, features.SIZE[0] * features.SIZE[1])
    assert bool(torch.isfinite(score).all())


def test_identical_passes_have_zero_bald() -> None:
    mean = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1)
    entropy = acquisition.entropy(mean)
    moments = Moments(mean, torch.zeros_like(mean), entropy)
    assert float(acquisition.bald(moments)) == 0


@pytest.mark.parametrize(
    ("balent", "score"), [(0.5, 2.0), (0.25, 4.0), (-0.5, -0.5), (-8.0, -8.0), (0.0, 1e30)]
)
def test_balentacq_is_the_reciprocal_where_balent_is_not_negative(
    balent: float, score: float
) -> None:
    got = acquisition.balentacq(torch.tensor([[balent]]))
    assert float(got) == pytest.approx(score, rel=1e-6)


def test_entropy_takes_zero_times_ln_zero_as_zero() -> None:
    mean = torch.tensor([1.0, 0.0]).view(1, 2, 1)
    assert float(acquisition.entropy(mean)) == 0


def test_margin_of_a_tie_is_zero() -> None:
    assert float(acquisition.margin(torch.tensor([0.4, 0.4, 0.2]).view(1, 3, 1))) == 0


def test_margin_is_between_the_best_two() -> None:
    means = torch.tensor([[0.5, 0.2, 0.3], [0.0, 1.0, 0.0]]).view(2, 3, 1)
    assert acquisition.margin(means).flatten().tolist() == pytest.approx([0.2, 1.0])


def test_powerbald_samples_in_proportion_to_bald() -> None:
    bald = torch.tensor([0.1, 0.3]).expand(20000, 2)
    noise = torch.from_numpy(uniform(0, "powerbald", (20000, 2)))
    wins = acquisition.powerbald(bald, noise).argmax(dim=1).float().mean()
    assert float(wins) == pytest.approx(0.75, abs=0.01)


def test_powerbald_adds_standard_gumbel_noise() -> None:
    noise = torch.from_numpy(uniform(1, "gumbel", (1, 40000)))
    sample = acquisition.powerbald(torch.ones(1, 40000), noise)
    assert float(sample.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(sample.var()) == pytest.approx(math.pi**2 / 6, abs=0.05)
