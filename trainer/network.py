"""A backbone-independent Bayesian segmentation network: trunk → dropout → linear classifier."""

from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from trainer.dropout import FeatureDropout


class Trunk(Protocol):
    """Normalised image [B, 3, H, W] → features [B, channels, h, w], the last layer a ReLU."""

    channels: int
    backbone: nn.Module


class BayesianNetwork(nn.Module):
    """Any trunk with ONE dropout layer before a linear classifier. Didari et al. 2024, section 3.

    Takes images as they are stored, uint8 [B, H, W, 3] RGB; normalisation is part of the network,
    so that no two programs can disagree about it. `mean` and `std` are on the scale 0 to 1.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        trunk: nn.Module,
        classes: int,
        dropout: FeatureDropout,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = dropout
        self.classifier = nn.Conv2d(int(trunk.channels), classes, kernel_size=1)  # type: ignore[arg-type]
        self.register_buffer("image_mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("image_std", 255 * torch.tensor(std).view(1, 3, 1, 1))

    def features(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B K h w"]:
        """What the dropout and the classifier see."""
        upright = image.permute(0, 3, 1, 2).to(self.image_mean.dtype)
        features: Tensor = self.trunk((upright - self.image_mean) / self.image_std)
        return features

    def forward(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B C h w"]:
        """Logits at feature resolution; dropped out in training mode."""
        logits: Tensor = self.classifier(self.dropout(self.features(image)))
        return logits


def at_points(
    logits: Float[Tensor, "B C h w"], points: Float[Tensor, "B N 2"], size: tuple[int, int]
) -> Float[Tensor, "B N C"]:
    """Logits at (row, col) positions of a `size` grid, as bilinear upsampling would give them.

    Pixel i has its centre at i + 0.5. The full-size logits never exist.
    """
    height, width = size
    x = (points[..., 1] + 0.5) * (2 / width) - 1
    y = (points[..., 0] + 0.5) * (2 / height) - 1
    places = torch.stack((x, y), dim=-1)[:, :, None]
    sampled = F.grid_sample(
        logits, places, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)


def upsample(maps: Float[Tensor, "B C h w"], size: tuple[int, int]) -> Float[Tensor, "B C H W"]:
    """Bilinear, pixel centres at i + 0.5.

    Said as a factor where it is a whole one: in a graph a size depends on the batch and cannot be
    known before the image is seen, which keeps runtimes from their fast ways.
    """
    if size == tuple(maps.shape[2:]):
        return maps
    factors = [big / small for big, small in zip(size, maps.shape[2:], strict=True)]
    if all(factor.is_integer() for factor in factors):
        return F.interpolate(maps, scale_factor=factors, mode="bilinear", align_corners=False)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
