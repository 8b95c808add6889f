"""The Beta distribution of a class probability over the dropout passes, accurate in float32.

It uses operators that every inference runtime has: no lgamma, no digamma, no branch, no loop.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from scorer.contract import RELATIVE_SD_FLOOR
from trainer.graph.sums import over_other_classes

LEAST_MEAN = 1e-12  # keeps mean² above float32's smallest normal number
_LEAST_NU = 1e-6
_LEAST_BETA = 1e-12
_HALF_LN_2PI = 0.9189385332046727


@dataclass(frozen=True)
class Tail:
    """A minimax approximation of f(x) = R(x) + (x - k) S(x) - lead/x for x ≥ 1, with t = 1/(x +
    shift): f(x) = power · ln(1 + shift/x) + t (p + t (q + t r)), with an error of at most `error`.

    R(x) = lnGamma(x) - [(x - 1/2) ln x - x + 1/2 ln 2 pi] and S(x) = ln x - 1/(2x) - psi(x) are
    Binet's remainders. The shift halves the degree of the polynomial, and its logarithm is free,
    because power · ln x is needed anyway.
    """

    k: int
    lead: float
    power: float
    shift: float
    coefficients: tuple[float, float, float]
    error: float

    def polynomial(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        p, q, r = self.coefficients
        return t * (t * (t * r + q) + p)


# Derived by linear programming on 160 Chebyshev points; a test checks them against the definition.
OF_A = Tail(1, 0.5, 0.5, 0.1683, (-0.41747302, -0.14637022, -0.05125447), 1.3e-6)
OF_Y = Tail(2, 1.0, 1.5, 0.1620, (-1.07624075, -0.32200001, -0.08894956), 3.6e-6)

Map = Float[Tensor, "B C P"]


def fit(mean: Map, variance: Map) -> tuple[Map, Map]:
    """Method of moments: alpha = mu nu, beta = (1 - mu) nu with nu = mu (1 - mu) / var - 1.

    sqrt(var) is floored at RELATIVE_SD_FLOOR · mu, below which float32 does not resolve it, and nu
    at 1e-6. Didari et al. 2024, section 3.
    """
    rest = over_other_classes(mean)
    least = RELATIVE_SD_FLOOR * mean.clamp(min=LEAST_MEAN)
    floored = variance.maximum(least * least)
    # Subtract before dividing: where nu is small, the subtraction is exact.
    nu = ((mean * rest - floored) / floored).clamp(min=_LEAST_NU)
    return mean * nu, (rest * nu).clamp(min=_LEAST_BETA)


def entropy(alpha: Float[Tensor, "..."], beta: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Differential entropy of P+ = Beta(alpha + 1, beta), nats: lnB(a, b) - (a - 1) psi(a) - (b -
    1) psi(b) + (a + b - 2) psi(a + b) with a = alpha + 1, b = beta > 0.

    The large terms are cancelled analytically (docs/numerics.md); the remaining error is below
    1e-5, relative, or absolute where the value is below 1, for alpha and beta in [1e-8, 1e8]. The
    entropy tends to -1/beta as beta → 0.
    """
    a = alpha + (1 + OF_A.shift)
    y = beta + (1 + OF_Y.shift)
    s = alpha + y
    ta, ty, ts, tb = 1 / a, 1 / y, 1 / s, 1 / beta
    # sqrt(a) (y / s)^(3/2) / b, in an order in which no product overflows or underflows.
    ratio = y * ts
    small = ratio * tb
    logarithm = 0.5 * (small * (small * (ratio * a))).log()
    tails = OF_A.polynomial(ta) + OF_Y.polynomial(ty) - OF_Y.polynomial(ts)
    return logarithm + tails - tb + (_HALF_LN_2PI + 0.5)
