"""Mean and variances over the dropout passes, one pass at a time.

Never holds the probabilities of more than two passes: memory does not grow with m.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_LEAST_NORMALISER = 1e-37
_HIGHEST_LIFT = 75.0  # exp(75) times any number of classes is still finite in float32

Map = Float[Tensor, "B C H W"]


@dataclass(frozen=True)
class Moments:
    """Of the class probabilities P over m passes.

    mean; within = mean of P (1 - P); between = population variance of P (ddof = 0); by the law of
    total variance mean (1 - mean) = within + between. aleatoric [B, H, W], nats: the mean over the
    passes of the entropy of each pass, or None if it was not asked for.
    """

    mean: Map
    within: Map
    between: Map
    aleatoric: Float[Tensor, "B H W"] | None


def accumulate(
    logits: Float[Tensor, "B nC h w"], passes: int, size: tuple[int, int], *, aleatoric: bool
) -> Moments:
    """Upsample the logits to `size`, pass by pass, soften them to probabilities, sum them up.

    `logits` holds 1 + m predictions of C classes: the one without dropout, which only serves as
    the origin that deviations are taken from, and the m passes. Around zero, E[P²] - mu² would
    lose everything below 1e-7 where P is near 1; around the first pass, everything where the first
    pass happens to be the outlier.
    """
    origin, _ = _probabilities(logits, 0, passes, size, False)
    shift, squares = torch.zeros_like(origin), torch.zeros_like(origin)
    entropy = torch.zeros_like(origin[:, 0]) if aleatoric else None
    for index in range(1, passes + 1):
        probability, more = _probabilities(logits, index, passes, size, aleatoric)
        deviation = probability - origin
        shift = shift + deviation
        squares = squares + deviation * deviation
        entropy = None if entropy is None or more is None else entropy + more
    return _moments(
        origin, shift / passes, squares / passes, None if entropy is None else entropy / passes
    )


def complement(mean: Map) -> Map:
    """1 - mean of each class; of the leading class as the sum of the others, which is exact.

    A mean of 0.9999 is known to 6e-8 in float32, so 1 - mean by subtraction keeps three digits.
    """
    leads = mean > 0.5  # at most one class can
    others = mean.masked_fill(leads, 0.0).sum(dim=1, keepdim=True)
    return others.where(leads, 1 - mean)


def _moments(
    origin: Map, shift: Map, squares: Map, aleatoric: Float[Tensor, "B H W"] | None
) -> Moments:
    mean = _whole(origin + shift)
    between = (squares - shift * shift).clamp(min=0)
    total = mean * complement(mean)
    # E[P (1 - P)] twice: the difference is exact where passes agree, the sum where they flip.
    flips = between > 0.5 * total
    around_origin = origin * complement(origin) + (1 - 2 * origin) * shift - squares
    return Moments(mean, around_origin.where(flips, total - between), between, aleatoric)


def _whole(mean: Map) -> Map:
    """Spread over all classes what underflow lost; nothing, short of logits beyond 300."""
    lost = 1 - mean.sum(dim=1, keepdim=True)
    return mean + F.threshold(lost, 1e-3, 0.0) / mean.shape[1]


def _probabilities(
    logits: Float[Tensor, "B nC h w"],
    index: int,
    passes: int,
    size: tuple[int, int],
    with_entropy: bool,
) -> tuple[Map, Float[Tensor, "B H W"] | None]:
    classes = logits.shape[1] // (passes + 1)
    own = _lowered(logits[:, index * classes : (index + 1) * classes])
    shifted = F.interpolate(own, size, mode="bilinear", align_corners=False)
    exponential = shifted.exp()
    normaliser = exponential.sum(dim=1, keepdim=True).clamp(min=_LEAST_NORMALISER)
    probability = exponential / normaliser
    if not with_entropy:
        return probability, None
    # -sum p ln p with ln p = shifted - ln normaliser: no logarithm of a zero.
    return probability, normaliser.log()[:, 0] - (probability * shifted).sum(dim=1)


def _lowered(logits: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
    """Logits less their maximum over the classes, before the upsampling and not after it.

    Upsampling is linear and softmax blind to a constant per pixel, so this changes nothing, cannot
    overflow, and is many times cheaper than at full size. Halfway between two grid points with
    different leaders all exponents are low; where the logits of a point spread over more than 60
    nats they are lifted by half of the rest, or everything would underflow there.
    """
    highest = logits.amax(dim=1, keepdim=True)
    spread = highest - logits.amin(dim=1, keepdim=True)
    return logits - (highest - (0.5 * spread - 30).clamp(0.0, _HIGHEST_LIFT))
