"""A small head on the hypercolumns of a frozen backbone, trained from few clicks in seconds.

Hypercolumns (Hariharan et al. 2015) are the maps of several stages, upsampled and stacked. The head
is two 1x1 layers, so that training needs the features at the labelled pixels alone.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy import ndarray as Array
from torch import Tensor, nn

from trainer.graph.dropout import dropped
from trainer.graph.upsampling import upsample

_WIDTH = 128
_SEEN, _RATE = 0.5, 0.3  # rates of the dropout before the first layer and between both
_QUARTER = 4  # the stride of the features

Maps = Sequence[Float[Tensor, "B _ _ _"]]


class PixelHead(nn.Module):
    """Trunk: from an image to 128 feature maps at a quarter of the resolution.

    backbone: from an image to maps of several strides, with `backbone.channels`; those in
    `backbone.columns` are used, or all. It stays in evaluation mode, so that cached maps remain
    valid (trainer/hypercolumns).
    """

    channels = _WIDTH

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        channels: Sequence[int] = backbone.channels  # type: ignore[assignment]
        self.stages = tuple(getattr(backbone, "columns", range(len(channels))))
        self.widths = tuple(channels[stage] for stage in self.stages)
        self.inputs = nn.ModuleList(_Input(width, sum(self.widths)) for width in self.widths)
        self.bias = nn.Parameter(torch.zeros(_WIDTH, 1, 1))
        self.between = nn.Dropout(_RATE)
        self.second = nn.Conv2d(_WIDTH, _WIDTH, 1)

    def train(self, mode: bool = True) -> "PixelHead":
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        return self.head(self.maps(image), quarter((image.shape[2], image.shape[3])))

    def maps(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        """The backbone's maps of an image, of the stages that are used."""
        stages = self.backbone(image)
        return [stages[stage] for stage in self.stages]

    def head(self, maps: Maps, size: tuple[int, int]) -> Float[Tensor, "B K h w"]:
        """From maps to features of `size` (height, width).

        The first layer is linear, as is upsampling. So each map passes its part of the layer at its
        own, smaller size, and the sum of the coarser results is upsampled to the next size.
        """
        coarse_first = sorted(
            zip(self.inputs, maps, strict=True), key=lambda pair: pair[1].shape[2]
        )
        total: Tensor | None = None
        for own, values in coarse_first:
            part = own(values)
            total = part if total is None else part + enlarged(total, tuple(part.shape[2:]))
        assert total is not None
        total = enlarged(total, size) + self.bias
        features: Tensor = F.relu(self.second(self.between(F.relu(total))))
        return features

    def at_pixels(self, vectors: Float[Tensor, "N _"]) -> Float[Tensor, "N K"]:
        """The result of `head` for maps of one pixel each: vectors of the channels of all stages.

        Both layers are matrix products here, the first one over all stages at once, which takes a
        third of the time of their convolutions.
        """
        mean, deviation = (
            torch.cat([getattr(own, name).flatten() for own in self.inputs])
            for name in ("mean", "deviation")
        )
        weight = torch.cat([own.project.weight.flatten(1) for own in self.inputs], dim=1)  # type: ignore[union-attr, operator]
        seen = self._dropped((vectors - mean) / deviation, _SEEN)
        between = self._dropped(F.relu(F.linear(seen, weight, self.bias.flatten())), _RATE)
        return F.relu(F.linear(between, self.second.weight.flatten(1), self.second.bias))

    def _dropped(self, values: Float[Tensor, "N _"], rate: float) -> Float[Tensor, "N _"]:
        return dropped(values, rate) if self.training else values

    def standardise(self, mean: Float[Array, " _"], deviation: Float[Array, " _"]) -> None:
        """Set mean and standard deviation of every channel, stage after stage, to standardise the
        maps.
        """
        for name, values in (("mean", mean), ("deviation", deviation)):
            parts = torch.from_numpy(values).float().split(list(self.widths))
            for own, part in zip(self.inputs, parts, strict=True):
                getattr(own, name).copy_(part.view(1, -1, 1, 1))

    def head_parameters(self) -> list[nn.Parameter]:
        """All parameters except those of the backbone."""
        return [one for name, one in self.named_parameters() if not name.startswith("backbone.")]


class _Input(nn.Module):
    """The first layer's part for one map, with the pool's mean and standard deviation of its
    channels.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, of: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))
        self.seen = nn.Dropout(_SEEN)
        self.project = nn.Conv2d(channels, _WIDTH, 1, bias=False)
        # The initialisation of a single layer on all `of` channels.
        nn.init.uniform_(self.project.weight, -1 / math.sqrt(of), 1 / math.sqrt(of))

    def forward(self, values: Float[Tensor, "B M h w"]) -> Float[Tensor, "B N h w"]:
        projected: Tensor = self.project(self.seen((values - self.mean) / self.deviation))
        return projected


def quarter(size: tuple[int, int]) -> tuple[int, int]:
    """The size (height, width) of the features of an image with `size`."""
    return -(-size[0] // _QUARTER), -(-size[1] // _QUARTER)


def factor(there: int, size: int) -> float:
    """The factor by which a map of `there` rows is upsampled to `size` rows, of which the last may
    be cropped.

    Convolutions of stride 2 round up: 23 rows of stride 16 correspond to 90 rows of stride 4, and
    extend two rows beyond them.
    """
    whole = -(-size // there)
    return float(whole) if -(-size // whole) == there else size / there


def enlarged(values: Float[Tensor, "B M h w"], size: tuple[int, int]) -> Float[Tensor, "B M H W"]:
    """Upsample bilinearly to `size`, keeping pixels at their places in the image."""
    if size == tuple(values.shape[2:]):
        return values
    height, width = (
        round(there * factor(there, side))
        for there, side in zip(values.shape[2:], size, strict=True)
    )
    return upsample(values, (height, width))[:, :, : size[0], : size[1]]
