"""Properties of a whole image for the reasons in a ranking of whole images."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scorer.errors import Failure
from scorer.images import palette
from scorer.images.photograph import Photograph


@dataclass(frozen=True)
class Sight:
    """mean: of the map. classes: number of map pixels predicted as each class. palette: colours of
    the photograph, see palette.of.
    """

    mean: float
    classes: tuple[int, ...]
    palette: bytes

    @classmethod
    def of(
        cls,
        image: str,
        uncertainty: npt.NDArray[np.float32],
        segmentation: npt.NDArray[np.int32],
        photograph: Photograph,
        classes: int,
    ) -> Self:
        """From the maps without padding; classes: their number.

        Raises Failure for a map with values that are not finite, or for unknown classes.
        """
        mean = float(np.mean(uncertainty, dtype=np.float64))
        is_known = 0 <= segmentation.min() <= segmentation.max() < classes
        if not math.isfinite(mean) or not is_known:
            what = "predicts a class that its contract does not name"
            what = what if math.isfinite(mean) else "gave an uncertainty that is not a number"
            raise Failure(
                f"{image}: the graph {what}",
                remedy="compare it with its model: python -m export verify",
            )
        counts = np.bincount(segmentation.ravel(), minlength=classes)
        return cls(mean, tuple(counts.tolist()), palette.of(photograph))
