"""Segments one image: predicts the class of each of its pixels."""

import math
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.errors import Failure
from scorer.images.encoded import Encoded
from scorer.images.indexed import UNKNOWN
from scorer.images.photograph import MAX_PIXELS, load, load_full, size
from scorer.segmentation import enlarge, tiles
from scorer.segmentation.network import PlainNetwork

TILED = 4  # images with a side more than so many times the grid's are processed in tiles
_LEAST = np.finfo(np.float32).tiny  # least probability, as its logarithm is computed
_ONE_LARGE = threading.Lock()  # large images are processed one at a time, to limit memory
_ON_DISK = 2**28  # bytes of an image's probabilities beyond which they are stored in a file

Probabilities = npt.NDArray[np.float32]  # [C, height, width]


@dataclass(frozen=True)
class Manner:
    """How images are segmented.

    least: confidence below which a pixel is UNKNOWN. confidence, uncertainty, soft: whether to
    compute these outputs. tiled: whether large images are processed in tiles at their own
    resolution, not scaled to the grid. max_pixels: limit for an image.
    """

    least: float = 0.0
    confidence: bool = False
    uncertainty: bool = False
    soft: bool = False
    tiled: bool = True
    max_pixels: int = MAX_PIXELS

    @property
    def needs_probabilities(self) -> bool:
        """Whether classes alone are insufficient."""
        return self.confidence or self.uncertainty or self.soft or self.least > 0


class Segmented:
    """The outputs for an image, at its own size; None if not requested.

    label: uint8 [height, width], class indices or UNKNOWN. confidence: probability of the class in
    255ths, uint8. uncertainty: entropy of the class probabilities, in 65535ths of its maximum log
    C, uint16. soft: class probabilities, float16 [C, height, width], possibly memory-mapped.
    """

    def __init__(self, size: tuple[int, int], classes: int, manner: Manner) -> None:
        self._least = manner.least
        self.label: npt.NDArray[np.uint8] = np.empty(size, np.uint8)
        self.confidence = np.empty(size, np.uint8) if manner.confidence else None
        self.uncertainty = np.empty(size, np.uint16) if manner.uncertainty else None
        self.soft = _room((classes, *size)) if manner.soft else None

    def take(
        self, rows: slice, cols: slice, label: npt.NDArray[np.uint8], found: Probabilities
    ) -> None:
        """Set a block of pixels from their classes and the probabilities of all classes."""
        sure = np.take_along_axis(found, label[None].astype(np.intp), 0)[0]
        known = np.where(sure >= self._least, label, np.uint8(UNKNOWN))
        self.label[rows, cols] = known
        if self.confidence is not None:
            self.confidence[rows, cols] = np.round(255 * np.minimum(sure, 1))
        if self.uncertainty is not None:
            self.uncertainty[rows, cols] = np.round(65535 * relative_entropy(found))
        if self.soft is not None:
            self.soft[:, rows, cols] = found


def relative_entropy(probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """-Σ p log p / log C over the classes (axis 0), float32 from 0 to 1."""
    information = probabilities * np.log(np.maximum(probabilities, _LEAST))
    entropy: npt.NDArray[np.float32] = -information.sum(0) / math.log(len(probabilities))
    return np.clip(entropy, 0, 1)


def segment(
    network: PlainNetwork,
    source: Encoded,
    manner: Manner | None = None,
    stop: threading.Event | None = None,
) -> Segmented:
    """Segment an image. Raises BadImage; Failure if `stop` is set while it is processed in
    tiles.
    """
    manner = manner or Manner()
    grid = network.contract.grid
    if manner.tiled:
        sides = size(source, max_pixels=manner.max_pixels)
        if any(side > TILED * there for side, there in zip(sides, grid, strict=True)):
            with _ONE_LARGE:
                return _in_tiles(network, source, manner, stop)
    photograph = load(source, grid, max_pixels=manner.max_pixels)
    geometry = photograph.geometry
    height, width = geometry.content
    found = network.probabilities(photograph.pixels)[:, :height, :width]
    scores = np.log(np.maximum(found, _LEAST))
    label = enlarge.classes(scores, geometry.image)
    segmented = Segmented(geometry.image, len(found), manner)
    if not manner.needs_probabilities:
        segmented.label = label
        return segmented
    for rows, band in enlarge.probabilities(scores, geometry.image):
        segmented.take(rows, slice(None), label[rows], band)
    return segmented


def _in_tiles(
    network: PlainNetwork, source: Encoded, manner: Manner, stop: threading.Event | None
) -> Segmented:
    """Segment an image in tiles at its own resolution, with only a strip of probabilities in
    memory.
    """
    image = load_full(source, max_pixels=manner.max_pixels)
    sides = (image.height, image.width)
    segmented = Segmented(sides, len(network.contract.classes), manner)

    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        return np.asarray(image.crop((0, start, image.width, stop)))

    def use(rows: slice, cols: slice, found: Probabilities) -> None:
        segmented.take(rows, cols, found.argmax(0).astype(np.uint8), found)

    def see(tile: npt.NDArray[np.uint8]) -> Probabilities:
        if stop is not None and stop.is_set():
            raise Failure("the work was stopped", remedy="give the same command again")
        return network.probabilities(tile)

    tiles.each(read, sides, network.contract.grid, see, use)
    return segmented


def _room(shape: tuple[int, ...]) -> npt.NDArray[np.float16]:
    """An array for an image's probabilities: in memory or, if large, in an anonymous temporary
    file.
    """
    if 2 * math.prod(shape) < _ON_DISK:
        return np.empty(shape, np.float16)
    with tempfile.TemporaryFile() as file:  # the mapping keeps the file open
        mapped: Any = np.memmap(file, np.float16, "w+", shape=shape)
    return mapped  # type: ignore[no-any-return]
