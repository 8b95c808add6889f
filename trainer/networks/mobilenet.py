"""MobileNetV2 (Sandler et al. 2018) as a dilated backbone, with torchvision's parameter names."""

from itertools import accumulate

from jaxtyping import Float
from torch import Tensor, nn

# expansion, channels, blocks, stride: table 2 of the paper
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_ENDS = tuple(accumulate(repeats for _, _, repeats, _ in _STAGES))  # indices in `features`
_OUTPUT_STRIDE = 16


class MobileNetV2(nn.Module):
    """Features of seven stages, with strides 2, 4, 8, and 16 from the fourth on."""

    channels = tuple(out for _, out, *_ in _STAGES)
    low, high = 1, 6  # the stages of a decoder, with strides 4 and 16
    columns = range(1, 7)  # the stages of hypercolumns
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_conv(3, 32, stride=2)]
        channels, stride, dilation = 32, 2, 1
        for expansion, out, repeats, first_stride in _STAGES:
            dilate = first_stride > 1 and stride == _OUTPUT_STRIDE
            for index in range(repeats):
                step = first_stride if index == 0 and not dilate else 1
                blocks.append(_InvertedResidual(channels, out, step, expansion, dilation))
                channels = out
                # Where dilation replaces a stride, it applies from the next block on.
                dilation = 2 if dilate else dilation
            stride *= 1 if dilate else first_stride
        self.features = nn.Sequential(*blocks)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        x = image
        stages = []
        for index, block in enumerate(self.features):
            x = block(x)
            if index in _ENDS:
                stages.append(x)
        return stages


class _InvertedResidual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        wide = channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(channels, wide, kernel=1)]
        layers += [
            _conv(wide, wide, stride=stride, dilation=dilation, groups=wide),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Float[Tensor, "B M h w"]) -> Float[Tensor, "B N i j"]:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def _conv(
    channels: int, out: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    padding = (kernel - 1) // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )
