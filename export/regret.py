"""Measures how much worse a selection of pixels is than the reference's, in the units of the
map.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from scorer.contract import Traits

# Steps of bisection: the regret is accurate to 2^-40 of the largest value.
_HALVINGS = 40

Values = Float[Tensor, "*P"]
# (value, tolerance) → the lowest and highest sorting key of values within the tolerance.
Reach = Callable[[Values, float], tuple[Values, Values]]


def regret(
    traits: Traits,
    value: Values,
    chosen: Bool[Tensor, "*P"],
    eligible: Bool[Tensor, "*P"],
) -> float:
    """By how much the worst of the n chosen pixels falls short of the reference's n-th best; 0 for
    the reference's selection, infinity where a chosen pixel is not eligible.

    value: of the reference: its map where the score has a pole, else the score that TopK sorts by.
    The regret is twice the smallest error e for which the selection is optimal if every value may
    be off by e. It is defined by errors of the map because 1 / BalEnt has a pole at 0, around which
    two correct runtimes order pixels differently. A map with errors of at most e has a regret of at
    most 2e.
    """
    if bool((chosen & ~eligible).any()):
        return float("inf")
    taken, there = value[chosen], value[eligible]
    if not len(taken):
        return 0.0
    reach = _around_pole if traits.has_pole else _as_it_is
    low, high = 0.0, float(there.abs().max())
    if _right(reach, taken, there, low):
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _right(reach, taken, there, middle) else (middle, high)
    return 2 * high


def _right(
    reach: Reach, taken: Shaped[Tensor, " n"], there: Shaped[Tensor, " r"], tolerance: float
) -> bool:
    """Whether values within the tolerance exist for which the worst chosen is as good as the n-th
    best.
    """
    last = reach(there, tolerance)[0].topk(len(taken)).values[-1]
    return bool(reach(taken, tolerance)[1].min() >= last)


def _as_it_is(value: Values, tolerance: float) -> tuple[Values, Values]:
    return value - tolerance, value + tolerance


def _around_pole(value: Values, tolerance: float) -> tuple[Values, Values]:
    """Lowest and highest sorting key of values within the tolerance. The key orders as BalEntAcq
    does, without its pole: 2 - BalEnt from 0 on, where the smallest is best, and BalEnt below 0.
    """
    least, most = value - tolerance, value + tolerance
    return least.where(least < 0, 2 - most), (2 - least.clamp(min=0)).where(most >= 0, most)
