"""Measures by colours how much an image differs from the labelled images."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scorer.images import palette

FEWEST = 10  # least number of labelled images for a statement
_MOST = 1000  # labelled images that are compared with, which bounds the time for a pool
_FALSE = 0.05  # share of images like the labelled ones that are called unlike
_RESOLVED = 1 / 255  # distance caused by the rounding of palettes


@dataclass(frozen=True)
class Likeness:
    """The labelled images, and the largest typical distance between them.

    palettes: float32 [N, 216], 10 ≤ N ≤ 1000. limit: the ceil((N + 1) 0.95)-th smallest distance of
    a labelled image to its nearest other one, or the largest if N < 19. If an image and the
    labelled ones are drawn alike, about 5 % of such images are further away, or 1/(N + 1) if N <
    19: a conformal quantile (Vovk et al. 2005), except for labelled images whose nearest would be
    the new one.
    """

    palettes: npt.NDArray[np.float32]
    limit: float

    @classmethod
    def among(cls, labelled: list[bytes]) -> Self | None:
        """From the palettes of the labelled images; None for too few. Of more than 1000, every
        second is used, every third, and so on.
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
        """The distance to the nearest labelled image, as a multiple of the limit; above 1 is unlike
        them.
        """
        between = palette.distances(palette.vectors([image]), self.palettes)
        return float(between.min()) / self.limit
