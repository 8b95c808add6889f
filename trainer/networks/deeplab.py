"""DeepLabV3+ (Chen et al. 2018) on any backbone with low- and high-level features."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trainer.graph.upsampling import upsample

_WIDTH = 256
_LOW_WIDTH = 48
_RATES = (6, 12, 18)  # of the atrous branches at output stride 16


class DeepLabV3Plus(nn.Module):
    """Trunk: from an image to 256 feature maps at a quarter of the resolution."""

    channels = _WIDTH

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        channels: Sequence[int] = backbone.channels  # type: ignore[assignment]
        self.aspp = _ASPP(channels[int(backbone.high)])  # type: ignore[arg-type]
        self.low = _conv(channels[int(backbone.low)], _LOW_WIDTH, 1)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(
            _conv(_WIDTH + _LOW_WIDTH, _WIDTH, 3), _conv(_WIDTH, _WIDTH, 3)
        )

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        stages = self.backbone(image)
        low, high = stages[self.backbone.low], stages[self.backbone.high]
        wide = upsample(self.aspp(high), tuple(low.shape[2:]))
        features: Tensor = self.decoder(torch.cat((wide, self.low(low)), dim=1))
        return features


class _ASPP(nn.Module):
    """Atrous spatial pyramid pooling: convolutions of several dilation rates on the same
    features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        branches = [_conv(channels, _WIDTH, 1)]
        branches += [_conv(channels, _WIDTH, 3, dilation=rate) for rate in _RATES]
        self.branches = nn.ModuleList(branches)
        self.pooled = _conv(channels, _WIDTH, 1)
        self.project = _conv((len(branches) + 1) * _WIDTH, _WIDTH, 1)

    def forward(self, x: Float[Tensor, "B M h w"]) -> Float[Tensor, "B K h w"]:
        near = [branch(x) for branch in self.branches]
        # The sum has the size of the other branches without naming it, as a graph for images of any
        # size must not.
        pooled = self.pooled(x.mean(dim=(2, 3), keepdim=True)) + 0 * near[0]
        return self.project(torch.cat((*near, pooled), dim=1))  # type: ignore[no-any-return]


def _conv(channels: int, out: int, kernel: int, *, dilation: int = 1) -> nn.Sequential:
    padding = (kernel - 1) // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
