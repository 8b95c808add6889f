"""A classifier that scores a block of r x r pixels per feature position."""

from collections.abc import Iterator
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class SubpixelConv2d(nn.Conv2d):
    """A convolution of C·r² outputs, arranged as r x r pixels of C scores: [B, C, r·h, r·w].

    Output c·r² + i·r + j is class c at row i and column j of the block (Shi et al. 2016). A
    transposed convolution with stride r can be written this way. `out_channels` is C·r².
    """

    def __init__(self, inputs: int, outputs: int, *, factor: int, **geometry: Any) -> None:
        super().__init__(inputs, outputs, **geometry)
        self.factor = factor

    def forward(self, features: Float[Tensor, "B K h w"]) -> Float[Tensor, "B C rh rw"]:
        return F.pixel_shuffle(super().forward(features), self.factor)


def layer(inputs: int, outputs: int, *, factor: int = 1, **geometry: Any) -> nn.Conv2d:
    """A classifier that scores factor x factor pixels per feature position; its weights are not
    trained.
    """
    if factor == 1:
        return nn.Conv2d(inputs, outputs, **geometry).requires_grad_(False)
    return SubpixelConv2d(inputs, outputs, factor=factor, **geometry).requires_grad_(False)


def factor_of(classifier: nn.Conv2d) -> int:
    """Side of the block of pixels that a classifier scores per feature position."""
    return classifier.factor if isinstance(classifier, SubpixelConv2d) else 1


def like(classifier: nn.Conv2d, outputs: int) -> nn.Conv2d:
    """A classifier of the same kind and geometry with another number of outputs."""
    return layer(
        classifier.in_channels,
        outputs,
        factor=factor_of(classifier),
        kernel_size=classifier.kernel_size,
        stride=classifier.stride,
        padding=classifier.padding,
        dilation=classifier.dilation,
        bias=classifier.bias is not None,
        device=classifier.weight.device,
    )


def in_parts(
    classifier: nn.Conv2d, features: Float[Tensor, "B K h w"], outputs: int
) -> Iterator[Float[Tensor, "B _ rh rw"]]:
    """Yield the classifier's results for `outputs` of its output channels at a time."""
    for start in range(0, classifier.out_channels, outputs):
        part = slice(start, start + outputs)
        bias = None if classifier.bias is None else classifier.bias[part]
        few = F.conv2d(
            features,
            classifier.weight[part],
            bias,
            classifier.stride,
            classifier.padding,
            classifier.dilation,
        )
        yield F.pixel_shuffle(few, factor_of(classifier)) if factor_of(classifier) > 1 else few
