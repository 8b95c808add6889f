"""Compares a plain network in a runtime with the PyTorch model that it was exported from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from export.plain_tail import PlainTail
from export.verification import TOLERANCES, photographs
from scorer.errors import BadGraph, BadPool
from scorer.plain import INT8, PROBABILITIES
from scorer.pools import Index
from scorer.segmentation.network import PlainNetwork
from trainer.graph.scorable import Scorable

_LEAST_AGREEMENT = 0.9  # of int8: least share of pixels that keep their class


@dataclass(frozen=True, kw_only=True)
class PlainVerdict:
    """Result of the comparison over all images.

    classes: share of pixels whose class is the reference's, or has a probability less than `tie`
    below it there. difference: largest difference of a probability; None for class maps. tie:
    tolerance of the precision; None for int8, of which only `classes` is judged.
    """

    images: int
    classes: float
    difference: float | None
    tie: float | None
    runtime: str = ""

    @property
    def failures(self) -> list[str]:
        """What failed, as texts; empty if the network agrees with the reference. NaN fails."""
        found = []
        least = _LEAST_AGREEMENT if self.tie is None else 1.0
        if not self.classes >= least:
            found.append(f"{1 - self.classes:.2%} of the pixels have another class")
        if self.tie is not None and self.difference is not None and not self.difference <= self.tie:
            found.append(f"a probability differs by {self.difference:.2g}")
        return found


@torch.inference_mode()
def verify(
    path: Path,
    opened: PlainNetwork,
    network: Scorable,
    pool: Index,
    *,
    images: int,
    on_image: Callable[[int], None] = lambda _: None,
) -> PlainVerdict:
    """Run `images` photographs of the pool through a runtime and the PyTorch reference.

    Unreadable images are skipped. Raises BadGraph where the graph is of another model, BadPool
    where no image can be read.
    """
    contract = opened.contract
    if contract.weights_sha256 != network.sha256:
        raise BadGraph(
            f"{path} was exported from another model",
            remedy="give the model that it came from with --model, or export again",
        )
    tie = None if contract.precision == INT8 else TOLERANCES[contract.precision].tie
    reference = PlainTail(network, contract.grid, PROBABILITIES).eval()
    agreed, pixels, differences = 0, 0, list[float]()
    for image, _ in photographs(pool, contract.grid, images, on_image):
        expected = reference(network.features(torch.from_numpy(image)))[0].numpy()
        found = opened.run(image[0])
        if contract.output == PROBABILITIES:
            differences.append(float(np.abs(found - expected).max()))
        agreed += _agreeing(found, expected, tie or 0.0)
        pixels += expected[0].size
    if not pixels:
        raise BadPool(
            f"none of the images tried in {pool.where} can be read",
            remedy="give --pool photographs, or try more of them with --images",
        )
    return PlainVerdict(
        images=pixels // (contract.height * contract.width),
        classes=agreed / pixels,
        difference=max(differences, default=None),
        tie=tie,
        runtime=opened.name,
    )


def _agreeing(found: npt.NDArray[np.generic], expected: npt.NDArray[np.float32], tie: float) -> int:
    label = (found.argmax(0) if found.ndim == 3 else found).astype(np.intp)
    chosen = np.take_along_axis(expected, label[None], 0)[0]
    return int((expected.max(0) - chosen <= tie).sum())
