"""The result for an image of a pool: its chosen pixels, or why it could not be used."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from scorer.images.geometry import Geometry
from scorer.images.place import Place
from scorer.selection.sight import Sight


@dataclass(frozen=True)
class Pixel:
    """A pixel to label, in coordinates of the original image; rank 1 is the best."""

    row: int
    col: int
    rank: int
    score: float
    label: int


@dataclass(frozen=True)
class Ranked:
    """The pixels chosen in one image; map, segmentation: uncertainty and classes, if requested.

    share: fraction of its pixels that are uncertain, if measured. nonnegative: fraction with BalEnt
    ≥ 0, if the graph's map is BalEnt. sight: properties for the reasons in a ranking of whole
    images, if requested.
    """

    image: str
    geometry: Geometry
    pixels: tuple[Pixel, ...]
    map: npt.NDArray[np.float32] | None = None
    segmentation: npt.NDArray[np.int32] | None = None
    share: float | None = None
    nonnegative: float | None = None
    sight: Sight | None = None

    def place(self, pixel: Pixel) -> Place:
        """The Place of one of its pixels."""
        return Place.at(self.image, self.geometry, pixel.row, pixel.col)

    def best(self, n: int) -> "Ranked":
        """The result with only its n best pixels."""
        return replace(self, pixels=self.pixels[:n])

    def measured(self, uncertain: float | None) -> "Ranked":
        """The result without its maps, with the share of pixels whose map value is at least
        `uncertain`.
        """
        share = None
        if uncertain is not None and self.map is not None:
            share = float(np.mean(self.map >= uncertain))
        return replace(self.without_maps(), share=share)

    def without_maps(self) -> "Ranked":
        """The result without its maps, which are views of a whole batch."""
        return replace(self, map=None, segmentation=None)


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and why. It never ends a run."""

    image: str
    reason: str
    detail: str = ""
