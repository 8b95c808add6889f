"""One image to the class of each of its pixels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorer.images.photograph import MAX_PIXELS, Encoded, load, load_full, size
from scorer.segmentation import enlarge, tiles
from scorer.segmentation.network import PlainNetwork

UNKNOWN = 255  # of a mask: not sure enough
TILED = 4  # an image with a side more than so many times the grid's is seen in tiles
_LEAST = np.finfo(np.float32).tiny  # of a probability, whose logarithm is taken

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Segmented:
    """label: uint8 [height, width] at the image's own size, class indices or UNKNOWN. confidence:
    the probability of the class in 255ths, uint8 of the same size, if it was asked for.
    """

    label: Levels
    confidence: Levels | None = None


@dataclass(frozen=True)
class Manner:
    """How images are segmented. least: the confidence below which a pixel is UNKNOWN. confidence:
    whether it is wanted. tiled: large images are seen in tiles at their own resolution, and not
    scaled to the grid. max_pixels: of an image.
    """

    least: float = 0.0
    confidence: bool = False
    tiled: bool = True
    max_pixels: int = MAX_PIXELS


def segment(network: PlainNetwork, source: Encoded, manner: Manner | None = None) -> Segmented:
    """Raises BadImage."""
    manner = manner or Manner()
    grid = network.contract.grid
    if manner.tiled:
        sides = size(source, max_pixels=manner.max_pixels)
        if any(side > TILED * there for side, there in zip(sides, grid, strict=True)):
            return _in_tiles(network, source, manner)
    photograph = load(source, grid, max_pixels=manner.max_pixels)
    geometry = photograph.geometry
    height, width = geometry.content
    found = network.probabilities(photograph.pixels)[:, :height, :width]
    scores = np.log(np.maximum(found, _LEAST))
    label = enlarge.classes(scores, geometry.image)
    if not manner.confidence and manner.least <= 0:
        return Segmented(label)
    return _judged(label, enlarge.confidence(scores, label, geometry.image), manner)


def _in_tiles(network: PlainNetwork, source: Encoded, manner: Manner) -> Segmented:
    """At its own resolution; of the probabilities, only a strip is in memory."""
    image = load_full(source, max_pixels=manner.max_pixels)
    label = np.empty((image.height, image.width), np.uint8)
    sure = np.empty_like(label) if manner.confidence else None

    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        return np.asarray(image.crop((0, start, image.width, stop)))

    def use(rows: slice, cols: slice, found: npt.NDArray[np.float32]) -> None:
        best = found.argmax(0).astype(np.uint8)
        part = _judged(best, found.max(0), manner)
        label[rows, cols] = part.label
        if sure is not None:
            assert part.confidence is not None
            sure[rows, cols] = part.confidence

    tiles.each(read, label.shape, network.contract.grid, network.probabilities, use)
    return Segmented(label, sure)


def _judged(label: Levels, sure: npt.NDArray[np.float32], manner: Manner) -> Segmented:
    known = np.where(sure >= manner.least, label, np.uint8(UNKNOWN)).astype(np.uint8)
    levels = np.round(255 * sure).astype(np.uint8) if manner.confidence else None
    return Segmented(known, levels)
