"""A backbone-independent Bayesian segmentation network: trunk → dropout → linear classifier."""

import copy
import hashlib
from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scorer.images.preprocessing import Preprocessing
from trainer.graph.dropout import FeatureDropout


class Trunk(Protocol):
    """From a normalised image [B, 3, H, W] to features [B, channels, h, w]; the last layer is a
    ReLU.
    """

    channels: int
    backbone: nn.Module


class BayesianNetwork(nn.Module):
    """Any trunk with one dropout layer before a linear classifier. Didari et al. 2024, section 3.

    Takes images as uint8 [B, H, W, 3] RGB. Normalisation is part of the network, so that all
    programs use the same; mean, std: for pixels from 0 to 1.
    """

    image_mean: Tensor
    image_std: Tensor
    align_corners = False
    precision = "float32"

    def __init__(
        self,
        trunk: nn.Module,
        classifier: nn.Conv2d,
        dropout: FeatureDropout,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = dropout
        self.classifier = classifier
        self.register_buffer("image_mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("image_std", 255 * torch.tensor(std).view(1, 3, 1, 1))

    def features(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B K h w"]:
        """The input of dropout and classifier."""
        features: Tensor = self.trunk(self.normalised(image))
        return features

    def normalised(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
        """The input of the trunk."""
        # The first operation, because TensorRT reads a uint8 input with Cast only.
        upright = image.to(self.image_mean.dtype).permute(0, 3, 1, 2)
        return (upright - self.image_mean) / self.image_std

    def halved(self, precision: str) -> "BayesianNetwork":
        """A copy whose trunk computes in float16 or bfloat16; images and features stay float32."""
        other = copy.deepcopy(self)
        other.trunk = _Halved(other.trunk, getattr(torch, precision))
        return other

    @property
    def preprocessing(self) -> Preprocessing:
        """The normalisation at the start of `features`."""
        mean, std = (tuple(v.flatten().tolist()) for v in (self.image_mean, self.image_std))
        return Preprocessing(mean=mean, std=std)

    @property
    def sha256(self) -> str:
        """Hash of the names and bytes of all tensors, by which a graph identifies its model."""
        digest = hashlib.sha256()
        hash_tensors(digest, self.state_dict())
        return digest.hexdigest()

    def forward(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B C h w"]:
        """Logits at feature resolution; with dropout in training mode."""
        logits: Tensor = self.classifier(self.dropout(self.features(image)))
        return logits


def hash_tensors(digest: "hashlib._Hash", tensors: Mapping[str, Tensor]) -> None:
    """Add names and bytes of tensors to a digest, in the order of their names."""
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())


class _Halved(nn.Module):
    """A trunk in half precision, with inputs and outputs in full precision."""

    def __init__(self, trunk: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.trunk, self.dtype = trunk.to(dtype), dtype

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        features: Tensor = self.trunk(image.to(self.dtype)).to(image.dtype)
        return features


# Least correlation of scores with scores that are upsampled in another way: 0.84 for white noise
# upsampled by nearest neighbour.
LEAST_CORRELATION = 0.75


def at_points(
    logits: Float[Tensor, "B C h w"], points: Float[Tensor, "B N 2"], size: tuple[int, int]
) -> Float[Tensor, "B N C"]:
    """Logits at (row, col) points of a `size` grid, as bilinear upsampling would give them.

    The centre of pixel i is at i + 0.5. The full-size logits are never computed.
    """
    height, width = size
    x = (points[..., 1] + 0.5) * (2 / width) - 1
    y = (points[..., 0] + 0.5) * (2 / height) - 1
    places = torch.stack((x, y), dim=-1)[:, :, None]
    sampled = F.grid_sample(
        logits, places, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)


def correlation(one: Float[Tensor, "*B C H W"], other: Float[Tensor, "*B C H W"]) -> float:
    """Correlation of two score maps over the pixels of all classes, each class less its mean.

    1 for equal maps; NaN if one of them is constant.
    """
    left, right = (values - values.mean(dim=(-2, -1), keepdim=True) for values in (one, other))
    norm = (left.square().sum() * right.square().sum()).sqrt()
    return float((left * right).sum() / norm)
