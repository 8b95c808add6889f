"""ResNet50 (He et al. 2016) as a dilated backbone, with torchvision's parameter names."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# channels, blocks, stride: table 1 of the paper, 50 layers
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_EXPANSION = 4
_OUTPUT_STRIDE = 8


class ResNet50(nn.Module):
    """Features of four stages: 256, 512, 1024 and 2048 channels, strides 4, 8, 8 and 8.

    dilated: False gives strides 4, 8, 16 and 32, as in pre-training.
    """

    channels = tuple(_EXPANSION * width for width, _, _ in _STAGES)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, *, dilated: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels, stride, dilation = 64, 4, 1
        for index, (width, repeats, first_stride) in enumerate(_STAGES, start=1):
            dilate = dilated and first_stride > 1 and stride == _OUTPUT_STRIDE
            blocks: list[nn.Module] = []
            for place in range(repeats):
                step = first_stride if place == 0 and not dilate else 1
                blocks.append(_Bottleneck(channels, width, step, dilation))
                channels = _EXPANSION * width
                # Where dilation replaces a stride, it applies from the next block on.
                dilation = dilation * first_stride if dilate and place == 0 else dilation
            stride *= 1 if dilate else first_stride
            setattr(self, f"layer{index}", nn.Sequential(*blocks))

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        x = F.relu(self.bn1(self.conv1(image)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        stages = []
        for index in range(1, len(_STAGES) + 1):
            x = getattr(self, f"layer{index}")(x)
            stages.append(x)
        return stages


class _Bottleneck(nn.Module):
    """A bottleneck block, with the stride in its 3x3 convolution, as in torchvision."""

    def __init__(self, channels: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        out = _EXPANSION * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Float[Tensor, "B M h w"]) -> Float[Tensor, "B N i j"]:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        beside = x if self.downsample is None else self.downsample(x)
        out: Tensor = F.relu(y + beside)
        return out
