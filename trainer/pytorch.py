"""PyTorch as a runtime: a model scores photographs without any export."""

import threading

import numpy as np
import numpy.typing as npt
import torch

from scorer.contract import Contract
from scorer.runtime import Scores
from trainer.model import Card
from trainer.network import BayesianNetwork
from trainer.raster import Whole
from trainer.scoring import ScoringNetwork
from trainer.strips import Strips


def device() -> str:
    """Where networks run: the GPU that is here, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class PyTorch:
    """The reference that graphs are compared with, behind the interface of every runtime."""

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
    ) -> None:
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
            top_k=min(top_k, card.height * card.width),
            has_map=True,
            network=card.network,
            weights_sha256=network.sha256,
            preprocessing=network.preprocessing,
        )
        self.network = ScoringNetwork(
            network,
            passes=passes,
            mask_seed=mask_seed,
            acquisition=acquisition,
            size=card.size,
            top_k=self.contract.top_k,
            raster=raster_of(network, card.size),
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
        """Score image [B, H, W, 3]; exclude and noise are [B, H, W]."""
        given = (image, exclude) if noise is None else (image, exclude, noise)
        with self._one:
            found = self.network(*(torch.from_numpy(one).to(self.device) for one in given))
        score, pixel, label, quantity, segmentation = (values.cpu().numpy() for values in found)
        maps = (quantity, segmentation) if want_map else (None, None)
        return Scores(score, pixel, label, *maps)


@torch.inference_mode()
def raster_of(network: BayesianNetwork, size: tuple[int, int]) -> type[Whole] | type[Strips]:
    """On a CPU the grid in strips where that is possible, so that memory stays small."""
    if device() == "cuda":
        return Whole
    blank = torch.zeros(1, *size, 3, dtype=torch.uint8)
    height, width = network.features(blank).shape[2:]
    return Strips if Strips.fits(network.classifier, (height, width), size) else Whole
