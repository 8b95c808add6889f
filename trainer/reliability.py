"""Accuracy by confidence, and the expected calibration error."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float
from torch import Tensor

BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """Pixels grouped by their confidence, the probability of the predicted class: bin k of BINS
    holds confidences above k / BINS and up to (k + 1) / BINS.

    pixels, right: number of pixels, and of correct ones; confidence: sum of the confidences; all
    [BINS].
    """

    pixels: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            self.pixels + other.pixels,
            self.right + other.right,
            self.confidence + other.confidence,
        )

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean over the pixels of |accuracy - mean confidence| of
        their bin; in [0, 1], NaN without pixels. Naeini et al. 2015; Guo et al. 2017.
        """
        total = self.pixels.sum()
        return float(np.abs(self.right - self.confidence).sum() / total) if total else np.nan


def reliability(confidence: Float[Tensor, "*N"], right: Bool[Tensor, "*N"]) -> Reliability:
    """Group pixels by confidence. right: whether the predicted class is the true one."""
    values = confidence.detach().cpu().double().numpy().ravel()
    place = np.clip(np.ceil(values * BINS).astype(np.int64) - 1, 0, BINS - 1)
    hit = right.cpu().numpy().ravel()
    return Reliability(
        np.bincount(place, minlength=BINS),
        np.bincount(place[hit], minlength=BINS),
        np.bincount(place, weights=values, minlength=BINS).astype(np.float64),
    )
