"""Chooses random pixels without a graph, so that labelling can begin before any training."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scorer.contract import NO_PIXEL, NO_SCORE, Contract
from scorer.images.colours import default_colours
from scorer.runtimes.base import Scores

NETWORK = "none"  # the network in its contract


def contract(classes: Sequence[str], size: tuple[int, int]) -> Contract:
    """The contract of random pixels on a grid of `size` (height, width); with a placeholder class
    while no class is named.
    """
    classes = classes or (NETWORK,)
    return Contract(
        acquisition="random",
        passes=1,
        dropout=0.5,
        mask_seed=0,
        height=size[0],
        width=size[1],
        classes=tuple(classes),
        colours=default_colours(len(classes)),
        top_k=64,
        has_map=False,
        network=NETWORK,
        weights_sha256="",
    )


def is_blank(contract: Contract) -> bool:
    """Whether pixels are chosen at random, without a model."""
    return contract.network == NETWORK


class Blank:
    """A runtime without a model: the score of a pixel is its random number."""

    name = "none"

    def __init__(self, classes: Sequence[str], size: tuple[int, int], *, workers: int = 1) -> None:
        self.contract, self.workers = contract(classes, size), workers

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,  # noqa: ARG002  # without maps
    ) -> Scores:
        """The K eligible pixels with the largest random numbers."""
        assert noise is not None, "random pixels need noise"
        flat = np.where(exclude == 0, noise, NO_SCORE).reshape(len(image), -1).astype(np.float32)
        best = np.argsort(-flat, axis=1, kind="stable")[:, : self.contract.top_k]
        score = np.take_along_axis(flat, best, axis=1)
        pixel = np.stack(np.divmod(best, self.contract.width), axis=-1).astype(np.int32)
        pixel[score <= NO_SCORE] = NO_PIXEL
        return Scores(score, pixel, np.zeros(score.shape, np.int32))
