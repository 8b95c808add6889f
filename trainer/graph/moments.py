"""Mean and variance of the class probabilities over the dropout passes, a few passes at a time.

Pixels are one axis P here: the formulas do not depend on the raster (raster.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from trainer.graph.sums import over_classes, over_passes

_LEAST_NORMALISER = 1e-37
_HIGHEST_LIFT = 75.0  # exp(75) times any number of classes is still finite in float32
_COARSE = 2.0**22  # float32 numbers of this size are half a nat apart

Map = Float[Tensor, "B C P"]


@dataclass(frozen=True)
class Moments:
    """Moments of the class probabilities over m passes.

    mean; variance: of the population (ddof = 0), which rounding may push 1e-14 below 0. aleatoric
    [B, P]: mean entropy of the passes in nats; None if it was not requested.
    """

    mean: Map
    variance: Map
    aleatoric: Float[Tensor, "B P"] | None


def accumulate(
    groups: Iterable[Float[Tensor, "B _ C P"]], passes: int, *, aleatoric: bool
) -> Moments:
    """Convert the logits of all passes to probabilities, and accumulate their moments by group.

    groups: logits of a few passes each. Deviations are taken from the mean of the first group.
    Around zero, E[P²] - mu² would lose everything below 1e-7 where P is near 1; around a single
    pass, everything where that pass is an outlier.
    """
    stream = iter(groups)
    probability, entropy = _softmax(next(stream), aleatoric)
    origin = over_passes(probability, 1 / probability.shape[1])
    deviation = probability - origin[:, None]
    squares = over_passes(deviation * deviation, 1 / passes)
    shift: Tensor | None = None
    for logits in stream:
        probability, more = _softmax(logits, aleatoric)
        deviation = probability - origin[:, None]
        shift = _plus(shift, over_passes(deviation, 1 / passes))
        squares = squares + over_passes(deviation * deviation, 1 / passes)
        entropy = None if more is None else _plus(entropy, more)
    mean, variance = origin, squares
    if shift is not None:
        mean, variance = origin + shift, squares - shift * shift
    return Moments(_whole(mean), variance, None if entropy is None else entropy / passes)


def lowered(
    logits: Float[Tensor, "B m C h w"], *, enlarged: bool = True
) -> Float[Tensor, "B m C h w"]:
    """Subtract the maximum over the classes from the logits, before upsampling instead of after it.

    Upsampling is linear and softmax is invariant to a constant per pixel, so the result is the
    same, cannot overflow, and is many times cheaper than at full size. Halfway between two grid
    points with different largest classes all exponents are low. Where the logits of a point differ
    by more than 60 nats, they are therefore raised by half of the excess, or everything would
    underflow there. Logits too large for float32 to resolve single nats are not raised: rounding
    would raise them to infinity. enlarged: whether upsampling follows; without, nothing is raised.
    """
    highest = logits.amax(dim=2, keepdim=True)
    if not enlarged:
        return logits - highest
    spread = highest - logits.amin(dim=2, keepdim=True)
    lift = (0.5 * spread - 30).clamp(0.0, _HIGHEST_LIFT)
    return logits - (highest - lift.where(highest.abs() < _COARSE, 0.0))


def _softmax(
    logits: Float[Tensor, "B g C P"], with_entropy: bool
) -> tuple[Float[Tensor, "B g C P"], Float[Tensor, "B P"] | None]:
    """The class probabilities, and the sum of their entropies over the passes."""
    exponential = logits.exp()
    normaliser = over_classes(exponential).clamp(min=_LEAST_NORMALISER)
    probability = exponential * normaliser.reciprocal()
    if not with_entropy:
        return probability, None
    # -sum p ln p with ln p = logits - ln normaliser, which avoids the logarithm of 0.
    entropy = normaliser.log() - over_classes(probability * logits)
    return probability, entropy[:, :, 0].sum(dim=1)


def _plus(sums: Tensor | None, more: Tensor) -> Tensor:
    return more if sums is None else sums + more


def _whole(mean: Map) -> Map:
    """Distribute the probability lost by underflow evenly over the classes; it is 0 unless logits
    exceed 300.
    """
    lost = 1 - over_classes(mean)
    return mean + F.threshold(lost, 1e-3, 0.0) / mean.shape[1]
