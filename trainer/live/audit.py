"""Estimates a model's accuracy from random pixels that it was not trained on, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Z = 1.959964  # quantile of the normal distribution for a 95 % interval
_RESAMPLES = 1000


@dataclass(frozen=True)
class Audit:
    """Accuracy of a model on random pixels.

    pixels: their number. accuracy: share of correct pixels; miou: mean intersection over union of
    the classes that occur; each with the bounds of its 95 % interval. by_class: number of pixels
    and accuracy of each true class.
    """

    pixels: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    miou: float
    miou_low: float
    miou_high: float
    by_class: dict[str, tuple[int, float]]


def measure(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: Sequence[str]
) -> Audit:
    """Compare true and predicted class indices [N], N > 0.

    The interval of the accuracy is Wilson's (1927); that of the mIoU consists of percentiles of a
    bootstrap over the pixels (Efron 1979), with the same draws every time.
    """
    right = truth == predicted
    low, high = wilson(int(right.sum()), len(truth))
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(truth), (_RESAMPLES, len(truth)))
    spread = [_miou(truth[draw], predicted[draw], len(classes)) for draw in draws]
    miou_low, miou_high = np.percentile(spread, [2.5, 97.5])
    return Audit(
        pixels=len(truth),
        accuracy=float(right.mean()),
        accuracy_low=low,
        accuracy_high=high,
        miou=_miou(truth, predicted, len(classes)),
        miou_low=float(miou_low),
        miou_high=float(miou_high),
        by_class={
            classes[index]: (int((truth == index).sum()), float(right[truth == index].mean()))
            for index in np.unique(truth).tolist()
        },
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, estimated from `right` of `count` (Wilson 1927)."""
    share, weight = right / count, _Z**2 / count
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _miou(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int) -> float:
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (truth, predicted), 1)
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float((matrix.diagonal()[union > 0] / union[union > 0]).mean())
