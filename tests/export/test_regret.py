"""Regret must be zero for right choices, the gap for wrong ones, and know BalEntAcq's jump."""

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.regret import regret
from scorer.contract import TRAITS


def of(acquisition: str, values: list[float], *chosen: int, barred: tuple[int, ...] = ()) -> float:
    taken = torch.zeros(len(values), dtype=torch.bool)
    taken[list(chosen)] = True
    eligible = torch.ones_like(taken)
    eligible[list(barred)] = False
    return regret(TRAITS[acquisition], torch.tensor(values), taken, eligible)


@pytest.mark.parametrize(
    ("values", "chosen", "expected"),
    [
        ([3.0, 2.0, 1.0], (0, 1), 0),
        ([3.0, 2.0, 1.0], (1, 2), 1),  # of two the second best is 2
        ([4.0, 2.0, 1.0], (2,), 3),
        ([3.0, 2.0, 2.0], (0, 2), 0),  # ties
        ([3.0, 2.0], (0, 1), 0),  # nothing is left
        ([3.0, 2.0], (), 0),
    ],
)
def test_it_is_the_gap(values: list[float], chosen: tuple[int, ...], expected: float) -> None:
    assert of("entropy", values, *chosen) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "chosen", "expected"),
    [
        ([0.1, 0.3, -0.5], (0,), 0),  # 1 / BalEnt: the smallest that is not negative
        ([0.1, 0.3, -0.5], (1,), 0.2),
        ([0.1, 0.3, -0.5], (2,), 0.8),  # at 0.4 of error all three are negative, and -0.1 wins
        ([-0.001, 0.3, -0.5], (0,), 0.002),  # nearly 0, where it would be the best of all
        ([0.001, 0.3, -0.5], (1,), 0.002),  # and the other way: nearly negative
        ([-0.4, -0.3, -0.5], (0,), 0.1),
    ],
)
def test_it_knows_that_balentacq_jumps_at_zero(
    values: list[float], chosen: tuple[int, ...], expected: float
) -> None:
    assert of("balentacq", values, *chosen) == pytest.approx(expected, abs=1e-6)


def test_what_must_not_be_chosen_is_never_forgiven() -> None:
    assert of("entropy", [3.0, 2.0], 0, barred=(0,)) == np.inf
    assert of("entropy", [3.0, 2.0], 1, barred=(0,)) == 0


@given(
    st.lists(st.floats(-16, 1, width=32, allow_subnormal=False), min_size=4, max_size=30),
    st.floats(0, 0.5, allow_subnormal=False),
    st.integers(0, 2**32 - 1),
)
def test_a_map_that_is_off_by_e_has_a_regret_of_at_most_2e(
    values: list[float], off: float, seed: int
) -> None:
    seen = np.array(values) + np.random.default_rng(seed).uniform(-off, off, len(values))
    chosen = np.argsort(-oracle.key(seen), kind="stable")[:3]
    assert of("balentacq", values, *chosen.tolist()) <= 2 * off + 1e-5
