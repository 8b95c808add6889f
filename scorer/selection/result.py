"""What becomes of an image of a pool: its chosen pixels, or why it could not be used."""

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
    """The pixels chosen in one image; its uncertainty and its classes if they were asked for.

    share: of its pixels, how many are uncertain, where that was measured. nonnegative: how many
    have BalEnt ≥ 0, where the graph's map is BalEnt. sight: what a ranking of whole images needs to
    say why, where that was asked for.
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
        """One of its pixels, with both sizes."""
        return Place.at(self.image, self.geometry, pixel.row, pixel.col)

    def best(self, n: int) -> "Ranked":
        """With its n best pixels alone."""
        return replace(self, pixels=self.pixels[:n])

    def measured(self, uncertain: float | None) -> "Ranked":
        """Without its maps; with the share of the pixels that have at least this value."""
        share = None
        if uncertain is not None and self.map is not None:
            share = float(np.mean(self.map >= uncertain))
        return replace(self.without_maps(), share=share)

    def without_maps(self) -> "Ranked":
        """As it is kept: maps are views of a whole batch."""
        return replace(self, map=None, segmentation=None)


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and why. A value: it never ends a run."""

    image: str
    reason: str
    detail: str = ""
