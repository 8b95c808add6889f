"""Mean and variance of the class probabilities over the dropout passes, a few passes at a time.

Pixels are one axis P here: the formulas do not care how the grid is walked (raster.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from trainer.graph.sums import over_classes, over_passes

_LEAST_NORMALISER = 1e-37
_HIGHEST_LIFT = 75.0  # exp(75) times any number of classes is still finite in float32
_COARSE = 2.0**22  # from here on neighbours in float32 are half a nat apart

Map = Float[Tensor, "B C P"]


@dataclass(frozen=True)
class Moments:
    """Of the class probabilities over m passes.

    mean; variance = that of the population (ddof = 0), which rounding may push 1e-14 below zero.
    aleatoric [B, P], nats: the mean over the
    passes of the entropy of each pass, or None if it was not asked for.
    """

    mean: Map
    variance: Map
    aleatoric: Float[Tensor, "B P"] | None


def accumulate(
    groups: Iterable[Float[Tensor, "B _ C P"]], passes: int, *, aleatoric: bool
) -> Moments:
    """Soften the logits of all passes to probabilities and sum them up, group by group.

    Deviations are taken from the mean of the first group. Around zero, E[P²] - mu² would lose
    everything below 1e-7 where P is near 1; around a single pass, everything where that pass
    happens to be the outlier.
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


def lowered(logits: Float[Tensor, "B m C h w"]) -> Float[Tensor, "B m C h w"]:
    """Logits less their maximum over the classes, before the upsampling and not after it.

    Upsampling is linear and softmax blind to a constant per pixel, so this changes nothing, cannot
    overflow, and is many times cheaper than at full size. Halfway between two grid points with
    different leaders all exponents are low; where the logits of a point spread over more than 60
    nats they are lifted by half of the rest, or everything would underflow there. Logits of which
    float32 does not keep single nats are not lifted: rounding would lift them to infinity.
    """
    highest = logits.amax(dim=2, keepdim=True)
    spread = highest - logits.amin(dim=2, keepdim=True)
    lift = (0.5 * spread - 30).clamp(0.0, _HIGHEST_LIFT)
    return logits - (highest - lift.where(highest.abs() < _COARSE, 0.0))


def _softmax(
    logits: Float[Tensor, "B g C P"], with_entropy: bool
) -> tuple[Float[Tensor, "B g C P"], Float[Tensor, "B P"] | None]:
    """Probabilities, and the sum of their entropies over the passes."""
    exponential = logits.exp()
    normaliser = over_classes(exponential).clamp(min=_LEAST_NORMALISER)
    probability = exponential * normaliser.reciprocal()
    if not with_entropy:
        return probability, None
    # -sum p ln p with ln p = logits - ln normaliser: no logarithm of a zero.
    entropy = normaliser.log() - over_classes(probability * logits)
    return probability, entropy[:, :, 0].sum(dim=1)


def _plus(sums: Tensor | None, more: Tensor) -> Tensor:
    return more if sums is None else sums + more


def _whole(mean: Map) -> Map:
    """Spread over all classes what underflow lost; nothing, short of logits beyond 300."""
    lost = 1 - over_classes(mean)
    return mean + F.threshold(lost, 1e-3, 0.0) / mean.shape[1]
