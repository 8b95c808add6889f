"""Scores photographs with a model in PyTorch, without an exported graph."""

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from scorer.contract import BEST, Contract
from scorer.runtimes.base import Scores
from trainer.graph import tiling
from trainer.graph.scoring import ScoringNetwork
from trainer.model import Card
from trainer.network import BayesianNetwork

Maker = Callable[..., torch.nn.Module]


def device() -> str:
    """The device that networks run on: the GPU if there is one, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class PyTorch:
    """A PyTorch model with the interface of a runtime: the reference that graphs are compared
    with.
    """

    workers = 1

    def __init__(
        self,
        network: BayesianNetwork,
        card: Card,
        *,
        acquisition: str,
        passes: int,
        top_k: int = 64,
        mask_seed: int = 0,
        stride: int | None = 1,
    ) -> None:
        features = features_of(network, card.size)
        stride = stride or tiling.coarsest(features, card.size, align_corners=False, top_k=top_k)
        self.device = device()
        self.name = f"torch {self.device}"
        self.contract = Contract(
            acquisition=acquisition,
            passes=passes,
            dropout=card.dropout,
            mask_seed=mask_seed,
            height=card.height,
            width=card.width,
            classes=card.classes,
            colours=card.colours,
            top_k=min(top_k, card.height * card.width // stride**2),
            has_map=True,
            stride=stride,
            network=card.network,
            weights_sha256=network.sha256,
            preprocessing=network.preprocessing,
        )
        self.network = ScoringNetwork(
            network,
            passes=passes,
            mask_seed=mask_seed,
            acquisition=acquisition,
            size=self.contract.map,
            top_k=self.contract.top_k,
            raster=_raster(network.classifier, features, self.contract.map),
        ).eval()
        self.network.to(self.device)
        self._one = threading.Lock()

    @torch.inference_mode()
    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        """Score images [B, H, W, 3]; exclude, noise: [B, *map]."""
        given = (image, exclude) if noise is None else (image, exclude, noise)
        with self._one:
            found = self.network(*(torch.from_numpy(one).to(self.device) for one in given))
        values = [one.cpu().numpy() for one in found]
        return Scores(*(values if want_map else values[: len(BEST)]))


@torch.inference_mode()
def features_of(network: BayesianNetwork, grid: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the features of an image of `grid`."""
    blank = torch.zeros(1, *grid, 3, dtype=torch.uint8, device=network.image_mean.device)
    height, width = network.features(blank).shape[2:]
    return height, width


def _raster(classifier: torch.nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> Maker:
    """The raster from features to a map of `size`; on a CPU one with little memory."""
    target = "gpu" if device() == "cuda" else "cpu"
    chosen = tiling.choose(classifier, features, size, align_corners=False, target=target)
    return tiling.raster(chosen, features, size)
