"""How unlike the labelled images an image is, by its colours."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scorer.images import palette

FEWEST = 10  # labelled images below which nothing is said of the others
_MOST = 1000  # labelled images that an image is compared with: the time for a pool stays in bounds
_FALSE = 0.05  # of the images that are like the labelled ones, so many are called unlike
_RESOLVED = 1 / 255  # a distance that the rounding of a palette makes


@dataclass(frozen=True)
class Likeness:
    """The labelled images, and how far an image like them lies from the nearest of them at most.

    palettes float32 [N, 216], 10 ≤ N ≤ 1000. limit: the distance to the nearest other labelled
    image that ceil((N + 1) 0.95) of the N do not exceed, or none of them where N < 19. If an image
    and the labelled ones are drawn alike, about 5 % of such images lie further away, or 1/(N + 1)
    where N < 19: a conformal quantile (Vovk et al. 2005), but for the labelled images whose nearest
    would be the new one.
    """

    palettes: npt.NDArray[np.float32]
    limit: float

    @classmethod
    def among(cls, labelled: list[bytes]) -> Self | None:
        """Of the palettes of the labelled images; None where they are too few. Of more than 1000,
        every second is taken, every third, and so on.
        """
        if len(labelled) < FEWEST:
            return None
        palettes = palette.vectors(labelled[:: math.ceil(len(labelled) / _MOST)])
        between = palette.distances(palettes, palettes)
        np.fill_diagonal(between, np.inf)
        nearest = np.sort(between.min(axis=1))
        place = min(math.ceil((len(nearest) + 1) * (1 - _FALSE)), len(nearest))
        return cls(palettes, max(float(nearest[place - 1]), _RESOLVED))

    def unlike(self, image: bytes) -> float:
        """The distance to the nearest labelled image as a multiple of the limit: above 1, the image
        is unlike them.
        """
        between = palette.distances(palette.vectors([image]), self.palettes)
        return float(between.min()) / self.limit
