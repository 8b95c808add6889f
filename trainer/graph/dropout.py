"""Dropout before the classifier, and the fixed masks that replace it in a scoring graph."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scorer.selection.noise import uniform
from trainer.graph.subpixel import like

KINDS = ("channel", "elementwise")


class FeatureDropout(nn.Module):
    """Dropout on feature maps: of whole channels (one mask per image), or of single elements.

    Whole channels by default: upsampling averages elementwise masks between feature positions,
    which leaves the feature grid visible in every uncertainty map (docs/numerics.md).
    """

    def __init__(self, rate: float, kind: str = "channel") -> None:
        super().__init__()
        if kind not in KINDS or not 0 < rate < 1:
            raise ValueError(
                f"dropout {kind!r} at rate {rate}: expected one of {KINDS}, 0 < rate < 1"
            )
        self.rate, self.kind = rate, kind

    def forward(self, features: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K h w"]:
        drop = F.dropout2d if self.kind == "channel" else F.dropout
        return drop(features, self.rate, self.training)

    def extra_repr(self) -> str:
        return f"rate={self.rate}, kind={self.kind}"


def dropped(values: Float[Tensor, "*N"], rate: float) -> Float[Tensor, "*N"]:
    """Set each value to zero with probability `rate`, and scale the others to keep the expectation.

    Each value takes 16 random bits of PyTorch's generator, so that the rate is a multiple of 2^-16.
    PyTorch's own dropout draws 64 bits on most processors, which took longer than all products of a
    small head.
    """
    drawn = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=values.device)
    bits = drawn.random_(-(2**63), None).view(torch.int16)[: values.numel()].view(values.shape)
    kept = (bits >= round(2**16 * rate) - 2**15).to(values.dtype)
    return values * kept.mul_(1 / (1 - rate))


def masks(passes: int, channels: int, rate: float, seed: int) -> Float[Tensor, "m K"]:
    """Draw m Bernoulli(1 - rate) masks over the channels, from the seed alone: 1 keeps, 0 drops.

    All pixels and all images share a mask: it is one sample of the classifier's weights.
    """
    return torch.from_numpy(uniform(seed, "dropout masks", (passes, channels)) >= rate).float()


def widen(classifier: nn.Conv2d, keep: Float[Tensor, "m K"], rate: float) -> nn.Conv2d:
    """All passes as one convolution of m·C outputs; pass t has weights W · keep_t / (1 - rate).

    A classifier that scores r x r pixels per feature position has m·C·r² outputs.
    """
    wide = like(classifier, len(keep) * classifier.out_channels)
    scales = (keep.to(wide.weight) / (1 - rate))[:, None, :, None, None]
    wide.weight.copy_((classifier.weight.detach()[None] * scales).flatten(0, 1))
    if classifier.bias is not None and wide.bias is not None:
        wide.bias.copy_(classifier.bias.detach().repeat(len(keep)))
    return wide.eval()
