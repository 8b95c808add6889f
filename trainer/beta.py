"""The Beta distribution of one class probability over the dropout passes, exact in float32.

Built of operators that every inference runtime has: no lgamma, no digamma, no branch, no loop.
"""

from jaxtyping import Float
from torch import Tensor

from scorer.contract import RELATIVE_SD_FLOOR
from trainer.moments import complement

_LEAST_MEAN = 1e-12  # keeps mean² above float32's smallest normal number
_LEAST_NU = 1e-6
_LEAST_BETA = 1e-12
_HALF_LN_2PI = 0.9189385332046727

# Least-squares polynomials in t = 1/x on (0, 1] of Binet's remainders, lowest power first:
# R(x) = lnGamma(x) - [(x - 1/2) ln x - x + 1/2 ln 2 pi] = t p(t), to 4e-9, and
# S(x) = ln x - 1/(2x) - psi(x) = t² q(t), to 5e-8. A test derives them anew.
R_POLYNOMIAL = (
    8.333333419e-02,
    -1.822395575e-07,
    -2.772524576e-03,
    -5.343459392e-05,
    1.049638091e-03,
    -6.336787229e-04,
    1.383177419e-04,
)
S_POLYNOMIAL = (
    8.333331153e-02,
    1.538743619e-06,
    -8.342950032e-03,
    -9.193212067e-05,
    4.987177052e-03,
    -3.546859232e-03,
    8.754194274e-04,
)

Map = Float[Tensor, "B C H W"]


def fit(mean: Map, within: Map, between: Map) -> tuple[Map, Map]:
    """Method of moments: alpha = mu nu, beta = (1 - mu) nu with nu = within / between.

    By the law of total variance mu (1 - mu) = within + between, so that this nu is the usual
    mu (1 - mu) / var - 1 without its cancellation. sqrt(between) is floored at
    RELATIVE_SD_FLOOR · mu, below which float32 does not resolve it, and nu at 1e-6.
    Didari et al. 2024, section 3.
    """
    floor = (RELATIVE_SD_FLOOR * mean.clamp(min=_LEAST_MEAN)).square()
    raised = (floor - between).clamp(min=0)
    nu = ((within - raised) / (between + raised)).clamp(min=_LEAST_NU)
    return mean * nu, (complement(mean) * nu).clamp(min=_LEAST_BETA)


def entropy(alpha: Float[Tensor, "..."], beta: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Differential entropy of P+ = Beta(alpha + 1, beta), nats: lnB(a, b) - (a - 1) psi(a)
    - (b - 1) psi(b) + (a + b - 2) psi(a + b) with a = alpha + 1, b = beta > 0.

    The large terms cancel on paper (docs/numerics.md); what is left errs by less than 1e-5,
    relative or absolute below 1, for alpha and beta in [1e-8, 1e8]. Tends to -1/beta as beta → 0.
    """
    a, b = alpha + 1, beta
    y, s = b + 1, a + b
    ta, ty, ts = 1 / a, 1 / y, 1 / s
    tb = 1 / b
    # Factors ordered so that no product overflows: a / s ≤ 1 and y / s ≤ 2.
    logarithms = 0.5 * (a * ts * y).log() + (y * ts * tb).log()
    fractions = ts - tb - 0.5 * ta - ty
    remainders = _remainder(ta, 1) + _remainder(ty, 2) - _remainder(ts, 2)
    return logarithms + fractions + remainders + (_HALF_LN_2PI + 0.5)


def _remainder(t: Float[Tensor, "..."], k: int) -> Float[Tensor, "..."]:
    # R(x) + (x - k) S(x) at x = 1/t, without the division
    return t * (_horner(R_POLYNOMIAL, t) + (1 - k * t) * _horner(S_POLYNOMIAL, t))


def _horner(coefficients: tuple[float, ...], t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    value = t * coefficients[-1] + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        value = value * t + coefficient
    return value
