"""One image to the class of each of its pixels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorer.images.photograph import Encoded, load
from scorer.segmentation import enlarge
from scorer.segmentation.network import PlainNetwork

UNKNOWN = 255  # of a mask: not sure enough


@dataclass(frozen=True)
class Segmented:
    """label: uint8 [height, width] at the image's own size, class indices or UNKNOWN. confidence:
    the probability of the class, float32 of the same size, if it was asked for.
    """

    label: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32] | None = None


def segment(
    network: PlainNetwork, source: Encoded, *, least: float = 0.0, want_confidence: bool = False
) -> Segmented:
    """least: the confidence below which a pixel is UNKNOWN. Raises BadImage."""
    photograph = load(source, network.contract.grid)
    geometry = photograph.geometry
    height, width = geometry.content
    scores = network.scores(photograph.pixels)[:, :height, :width]
    label = enlarge.classes(scores, geometry.image)
    if not want_confidence and least <= 0:
        return Segmented(label)
    sure = enlarge.confidence(scores, label, geometry.image)
    known = np.where(sure >= least, label, np.uint8(UNKNOWN)).astype(np.uint8)
    return Segmented(known, sure if want_confidence else None)
