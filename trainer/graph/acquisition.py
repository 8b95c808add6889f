"""The acquisition formulas, defined here alone. Natural logarithms, nats.

Each acquisition has a quantity (shown in its map) and a score (larger is selected first). They are
written in elementary operators and traced into the exported graph.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from scorer.contract import BALENT_FLOOR
from trainer.graph import beta
from trainer.graph.moments import Moments
from trainer.graph.sums import over_classes

_TINY = 1e-30
_LEAST_MEAN = beta.LEAST_MEAN
_LEAST_BALD = 1e-4

Map = Float[Tensor, "B *P"]


def entropy(mean: Float[Tensor, "B C P"]) -> Map:
    """H = -sum_c mu_c ln mu_c of the mean prediction; 0 ≤ H ≤ ln C; 0 ln 0 = 0. Shannon 1948."""
    return -over_classes(mean * mean.clamp(min=_LEAST_MEAN).log())[:, 0]


def aleatoric(moments: Moments) -> Map:
    """Mean entropy of single passes: the uncertainty that more labels do not reduce."""
    assert moments.aleatoric is not None, "accumulate(..., aleatoric=True)"
    return moments.aleatoric


def bald(moments: Moments) -> Map:
    """Epistemic uncertainty, the mutual information of label and weights: H - aleatoric;
    0 ≤ I ≤ ln C. Houlsby et al. 2011; Didari et al. 2024, eq. 2.
    """
    return (entropy(moments.mean) - aleatoric(moments)).clamp(min=0)


def posterior(moments: Moments) -> Map:
    """sum_c mu_c h(P+_c) ≤ 0: entropy of the Beta that a class probability becomes once that
    class is observed. Woo 2023, section 3; a class with mu = 0 contributes 0.
    """
    alpha, b = beta.fit(moments.mean, moments.variance)
    return over_classes(moments.mean * beta.entropy(alpha, b))[:, 0]


def balent(moments: Moments) -> Map:
    """Balanced entropy (posterior + H) / (H + ln 2) < 1, floored at BALENT_FLOOR.

    Woo 2023, eq. 8; Didari et al. 2024, eq. 3. Pixels whose passes flip between near-certain
    answers have h(P+) → -1/beta, so they rank last: that is the published equation.
    """
    h = entropy(moments.mean)
    return ((posterior(moments) + h) / (h + math.log(2))).clamp(min=BALENT_FLOOR)


def balentacq(value: Map) -> Map:
    """1 / BalEnt where BalEnt ≥ 0, else BalEnt. Didari et al. 2024, eq. 4; at 0: 1e30."""
    # Where runs both branches in ONNX: clamp before the division.
    return (1 / value.clamp(min=_TINY)).where(value >= 0, value)


def margin(mean: Float[Tensor, "B C P"]) -> Map:
    """Largest minus second largest mean probability, 0 ≤ margin ≤ 1. Didari et al. take its
    smallest values inside a random pool of 10·n pixels, which the scorer draws.
    """
    first = mean.amax(dim=1, keepdim=True)
    leads = mean >= first
    second = mean.masked_fill(leads, -1.0).amax(dim=1)
    tied = over_classes(leads.to(mean.dtype))[:, 0] > 1
    return (first[:, 0] - second).masked_fill(tied, 0.0)


def powerbald(value: Map, noise: Map) -> Map:
    """ln BALD + Gumbel(0, 1): sampling in proportion to BALD. Kirsch et al. 2021, gamma = 1.

    `noise` is uniform on (0, 1). Below 1e-4 nats, where float32 leaves BALD few digits, all pixels
    count the same.
    """
    return value.clamp(min=_LEAST_BALD).log() - (-noise.log()).log()


@dataclass(frozen=True)
class Acquisition:
    """An acquisition function.

    quantity: moments → map; None where the map is the noise itself. score: (map, noise) → what TopK
    sorts by. noise: uniform on (0, 1); None unless the contract says that the acquisition is
    stochastic.
    """

    quantity: Callable[[Moments], Map] | None
    score: Callable[[Map, Map | None], Map]
    needs_aleatoric: bool = False


def given(noise: Tensor | None) -> Tensor:
    """The noise; it must not be None."""
    assert noise is not None, "this acquisition draws at random: it needs noise"
    return noise


ACQUISITIONS = {
    "balentacq": Acquisition(balent, lambda q, _: balentacq(q)),
    "balent": Acquisition(balent, lambda q, _: q),
    "bald": Acquisition(bald, lambda q, _: q, needs_aleatoric=True),
    "powerbald": Acquisition(bald, lambda q, u: powerbald(q, given(u)), needs_aleatoric=True),
    "entropy": Acquisition(lambda m: entropy(m.mean), lambda q, _: q),
    "margin": Acquisition(lambda m: margin(m.mean), lambda q, _: -q),
    "random": Acquisition(None, lambda q, _: q),
}
