"""The feature maps that a frozen backbone computes from a photograph."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from scorer.errors import Failure
from scorer.images.geometry import Geometry
from scorer.images.photograph import Photograph
from trainer.network import BayesianNetwork
from trainer.networks.pixelhead import PixelHead, factor, quarter

Sums = npt.NDArray[np.float64]
_QUARTER = 4
_MOST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Maps:
    """The maps of a photograph: float16 [M, h, w] of every stage, and its geometry on the grid.

    Always in half precision, so that new and cached maps give the same weights.
    """

    stages: tuple[npt.NDArray[np.float16], ...]
    geometry: Geometry

    def tensors(self, device: str | torch.device = "cpu") -> list[Float[Tensor, "1 M h w"]]:
        """The maps as float32 tensors, the input of the head."""
        return [torch.tensor(stage, device=device).float()[None] for stage in self.stages]

    def at(self, points: Float[Tensor, "N 2"]) -> npt.NDArray[np.float16]:
        """Bilinear samples at (row, col) points of the grid: float16 [N, channels of all
        stages].
        """
        parts = [_sampled(stage, points, self.geometry.grid) for stage in self.tensors()]
        vectors: npt.NDArray[np.float16] = torch.cat(parts, dim=1).half().numpy()
        return vectors

    def sums(self) -> Sums:
        """Pixel count, sum and sum of squares per channel, without padding: float64 [3,
        channels].
        """
        parts = []
        for stage in self.stages:
            height, width = (
                max(1, round(side * there / whole))
                for side, there, whole in zip(
                    self.geometry.content, stage.shape[1:], self.geometry.grid, strict=True
                )
            )
            content = torch.from_numpy(stage[:, :height, :width])
            # numpy's float64 conversion takes three times as long
            values = content.double().flatten(1).numpy()
            count = np.full(len(stage), values.shape[1])
            parts.append(np.stack((count, values.sum(axis=1), (values**2).sum(axis=1))))
        return np.concatenate(parts, axis=1)


@torch.inference_mode()
def see(network: BayesianNetwork, photograph: Photograph) -> Maps:
    """Compute the backbone's maps of a photograph. Raises Failure for values beyond float16."""
    assert isinstance(network.trunk, PixelHead)
    image = torch.from_numpy(photograph.pixels)[None].to(network.image_mean.device)
    stages = network.trunk.maps(network.normalised(image))
    if not all(bool((stage.abs() < _MOST).all()) for stage in stages):
        raise Failure(
            "the backbone gives values that are no numbers, or beyond 65504",
            remedy="check its weights; --weights none shows whether they are the cause",
        )
    return Maps(tuple(stage[0].half().cpu().numpy() for stage in stages), photograph.geometry)


def mean_and_deviation(
    sums: Sums,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation per channel from added `Maps.sums`; 1 for a constant channel."""
    count, first, second = sums
    mean = first / count
    deviation = np.sqrt(np.maximum(second / count - mean**2, 0))
    return mean, np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)


def _sampled(
    stage: Float[Tensor, "1 M h w"], points: Float[Tensor, "N 2"], grid: tuple[int, int]
) -> Float[Tensor, "N M"]:
    places = []
    for axis, there in enumerate(stage.shape[2:]):
        stride = _QUARTER * factor(there, quarter(grid)[axis])
        inside = (points[:, axis] + 0.5) / stride  # from 0 to `there`
        places.append(inside * (2 / there) - 1)
    where = torch.stack(places[::-1], dim=-1)[None, :, None]
    found = F.grid_sample(stage, where, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, :, 0].T
