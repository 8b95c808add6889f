"""How much worse a selection is than the reference's own, in the units of the map."""

from collections.abc import Callable

from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from scorer.contract import Traits

# Of bisection: the regret is known to 2^-40 of the largest value.
_HALVINGS = 40

Values = Float[Tensor, "*P"]
# (value, tolerance) → the lowest and the highest key of all values within the tolerance.
Reach = Callable[[Values, float], tuple[Values, Values]]


def regret(
    traits: Traits,
    value: Values,
    chosen: Bool[Tensor, "*P"],
    eligible: Bool[Tensor, "*P"],
) -> float:
    """By how much the worst of the n chosen falls short of the n-th best; 0 for a right choice.

    `value`: of the reference; its map where the score has a pole, else what TopK sorts by. More
    exactly, twice the least e such that it need not fall short where every value may be off by e:
    1 / BalEnt jumps at 0, where two right runtimes order pixels differently. A map off by at most e
    therefore has a regret of at most 2e. Infinite where a chosen pixel is not eligible.
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
    """Whether within the tolerance the worst of n taken can be as good as the n-th best."""
    last = reach(there, tolerance)[0].topk(len(taken)).values[-1]
    return bool(reach(taken, tolerance)[1].min() >= last)


def _as_it_is(value: Values, tolerance: float) -> tuple[Values, Values]:
    return value - tolerance, value + tolerance


def _around_pole(value: Values, tolerance: float) -> tuple[Values, Values]:
    """Bounds of a key that orders as BalEntAcq does, without its pole: 2 - BalEnt from 0 on, where
    the smallest is the best, and BalEnt below.
    """
    least, most = value - tolerance, value + tolerance
    return least.where(least < 0, 2 - most), (2 - least.clamp(min=0)).where(most >= 0, most)
