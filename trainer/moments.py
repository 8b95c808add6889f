"""Mean, variance and entropy over the dropout passes, one pass at a time.

Never holds the probabilities of more than two passes: memory does not grow with m.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Of the class probabilities over m passes.

    mean and variance (population, ddof = 0) [B, C, H, W]; aleatoric [B, H, W], nats: the mean
    over the passes of the entropy of each pass, or None if it was not asked for.
    """

    mean: Float[Tensor, "B C H W"]
    variance: Float[Tensor, "B C H W"]
    aleatoric: Float[Tensor, "B H W"] | None


def accumulate(
    logits: Float[Tensor, "B mC h w"], passes: int, size: tuple[int, int], *, aleatoric: bool
) -> Moments:
    """Upsample the logits of every pass to `size`, soften them to probabilities, sum them up.

    Deviations are taken from the first pass: E[P²] - mu² would lose everything below 1e-7 where
    P is near 1, and shifting costs no further pass over memory.
    """
    first, entropy = _probabilities(logits, 0, passes, size, aleatoric)
    total, squares = torch.zeros_like(first), torch.zeros_like(first)
    for index in range(1, passes):
        probability, more = _probabilities(logits, index, passes, size, aleatoric)
        deviation = probability - first
        total = total + deviation
        squares = squares + deviation * deviation
        entropy = None if entropy is None or more is None else entropy + more
    shift = total / passes
    return Moments(
        first + shift,
        squares / passes - shift * shift,
        None if entropy is None else entropy / passes,
    )


def _probabilities(
    logits: Float[Tensor, "B mC h w"],
    index: int,
    passes: int,
    size: tuple[int, int],
    with_entropy: bool,
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B H W"] | None]:
    classes = logits.shape[1] // passes
    own = logits[:, index * classes : (index + 1) * classes]
    # Upsampling is linear and softmax blind to a constant per pixel, so the maximum may go before
    # the upsampling: exact, cannot overflow, and many times cheaper than at full size.
    own = own - own.amax(dim=1, keepdim=True)
    shifted = F.interpolate(own, size, mode="bilinear", align_corners=False)
    exponential = shifted.exp()
    normaliser = exponential.sum(dim=1, keepdim=True)
    probability = exponential / normaliser
    if not with_entropy:
        return probability, None
    # -sum p ln p with ln p = shifted - ln normaliser: no logarithm of a zero.
    return probability, normaliser.log()[:, 0] - (probability * shifted).sum(dim=1)
