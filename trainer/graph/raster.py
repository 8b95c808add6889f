"""Rasters: the order in which the pixels of the map are computed from the features.

Whole: all pixels of a few passes in each tensor, for GPU compilers, which fuse the operators.
Coarse: a map with fewer pixels than there are features.

For CPUs one part of the map is finished before the next, so that the tensors stay in the cache: in
strips (strips.py) where every feature cell has the same interpolation weights, else in bands
(bands.py). All rasters use the same formulas.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from trainer.graph.moments import lowered
from trainer.graph.rows import keeps_size, padding_of
from trainer.graph.subpixel import factor_of, in_parts
from trainer.graph.upsampling import upsample

# From upsampled logits [B, g, C, P], a few passes at a time, to maps [B, P] of these pixels.
Pixelwise = Callable[[Iterable[Tensor]], tuple[Tensor, ...]]

# Number of passes whose full-size logits `Whole` holds at a time.
_WHOLE = 5


class Raster(Protocol):
    """Computes maps from features."""

    def __call__(self, features: Tensor, pixelwise: Pixelwise) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of the outputs of `pixelwise`, from features [B, K, h, w]."""
        ...


class Whole(nn.Module):
    """Computes the map in one piece, for any sizes and any classifier."""

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.classifier, self.passes, self.size = classifier, passes, size
        self.align_corners = align_corners

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of the outputs of `pixelwise`."""
        maps = pixelwise(self._upsampled(features))
        return tuple(values.unflatten(1, self.size) for values in maps)

    def _upsampled(self, features: Float[Tensor, "B K h w"]) -> Iterator[Float[Tensor, "B _ C P"]]:
        for few in self._logits(features):
            full = upsample(few.flatten(1, 2), self.size, align_corners=self.align_corners)
            yield full.flatten(2).unflatten(1, few.shape[1:3])

    def _logits(self, features: Float[Tensor, "B K h w"]) -> Iterator[Float[Tensor, "B _ C h w"]]:
        """Yield the logits a few passes at a time; if features are smaller than the map, from one
        convolution.
        """
        if features.shape[2] * factor_of(self.classifier) < self.size[0]:
            logits = lowered(self.classifier(features).unflatten(1, (self.passes, -1)))
            yield from logits.split(_WHOLE, dim=1)
            return
        # At the size of the map, the logits of all passes must not be in memory at once.
        own = self.classifier.out_channels // self.passes
        classes = own // factor_of(self.classifier) ** 2
        for few in in_parts(self.classifier, features, _WHOLE * own):
            yield lowered(few.unflatten(1, (-1, classes)))


class Coarse(nn.Module):
    """Computes a map with one pixel for `factor` x `factor` features, an even number.

    Bilinear reduction is the mean of the 2x2 features in the middle of such a block. With a linear
    classifier it becomes one strided convolution, and the logits of all features are never
    computed.
    """

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        factor: int,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        assert not align_corners, "the middle of a block is another with aligned corners"
        self.whole = Whole(_with_stride(classifier, factor), passes, size)

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the features are an even multiple of the map."""
        factor = features[0] // size[0]
        even = factor > 0 and factor % 2 == 0
        exact = features == (factor * size[0], factor * size[1])
        plain = tuple(classifier.dilation) == (1, 1) and factor_of(classifier) == 1
        return even and exact and plain and keeps_size(classifier)

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of the outputs of `pixelwise`."""
        maps: tuple[Tensor, ...] = self.whole(features, pixelwise)
        return maps


def _with_stride(classifier: nn.Conv2d, factor: int) -> nn.Conv2d:
    """The classifier followed by bilinear reduction by an even factor, as one convolution."""
    weight = classifier.weight.detach()
    around = F.pad(weight, (1, 1, 1, 1))
    mean = (around[..., 1:, :] + around[..., :-1, :]) / 2
    mean = (mean[..., 1:] + mean[..., :-1]) / 2
    # The middle of a block begins factor / 2 - 1 pixels after its corner.
    padding = [side + 1 - factor // 2 for side in padding_of(classifier)]
    missing = [max(0, -side) for side in padding]
    mean = F.pad(mean, (missing[1], 0, missing[0], 0))
    layer = nn.Conv2d(
        classifier.in_channels,
        classifier.out_channels,
        kernel_size=mean.shape[2:],  # type: ignore[arg-type]
        stride=factor,
        padding=[max(0, side) for side in padding],  # type: ignore[arg-type]
        bias=classifier.bias is not None,
        dtype=mean.dtype,
    ).requires_grad_(False)
    layer.weight.copy_(mean)
    if classifier.bias is not None and layer.bias is not None:
        layer.bias.copy_(classifier.bias.detach())
    return layer
