"""Upsamples class scores from a grid to an image of any size: classes and probabilities.

Bilinear, pixel centres at i + 0.5, as PyTorch's interpolate with align_corners=False.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]  # [C, h, w]
_AT_ONCE = 4_000_000  # values in memory


class _Axis(NamedTuple):
    """For each pixel along an axis: the two grid pixels around it, and the weight of the second."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float32]


def classes(scores: Scores, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The class of the largest upsampled score, the first of equal ones, uint8 [height, width].

    If the four surrounding grid pixels have one class, so have all pixels between them: scores are
    computed only for the others.
    """
    rows, cols = _axes(scores, size)
    best = scores.argmax(0).astype(np.uint8)
    corners = [best[y][:, x] for y in (rows.first, rows.second) for x in (cols.first, cols.second)]
    label: npt.NDArray[np.uint8] = corners[0].copy()
    unlike = np.logical_or.reduce([one != label for one in corners[1:]])
    places = np.nonzero(unlike)
    step = max(1, _AT_ONCE // len(scores))
    for start in range(0, len(places[0]), step):
        y, x = (axis[start : start + step] for axis in places)
        label[y, x] = _at(scores, rows, cols, y, x).argmax(0)
    return label


def probabilities(
    scores: Scores, size: tuple[int, int]
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Yield the softmax of the upsampled scores in bands of rows: the rows, and float32 [C, rows,
    width].
    """
    rows, cols = _axes(scores, size)
    step = max(1, _AT_ONCE // (len(scores) * size[1]))
    for start in range(0, size[0], step):
        first, second, weight = (values[start : start + step] for values in rows)
        tall = scores[:, first] * (1 - weight[:, None]) + scores[:, second] * weight[:, None]
        wide = tall[:, :, cols.first] * (1 - cols.weight) + tall[:, :, cols.second] * cols.weight
        wide = np.exp(wide - wide.max(0))
        yield slice(start, start + len(first)), wide / wide.sum(0)


def _at(
    scores: Scores, rows: _Axis, cols: _Axis, y: npt.NDArray[np.intp], x: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Upsampled scores at pixels (y, x) of the image, [C, N]."""
    down, right = rows.weight[y], cols.weight[x]
    upper = scores[:, rows.first[y], cols.first[x]] * (1 - right)
    upper += scores[:, rows.first[y], cols.second[x]] * right
    lower = scores[:, rows.second[y], cols.first[x]] * (1 - right)
    lower += scores[:, rows.second[y], cols.second[x]] * right
    mixed: npt.NDArray[np.float32] = upper * (1 - down) + lower * down
    return mixed


def _axes(scores: Scores, size: tuple[int, int]) -> tuple[_Axis, _Axis]:
    return _axis(scores.shape[1], size[0]), _axis(scores.shape[2], size[1])


def _axis(there: int, wanted: int) -> _Axis:
    place = np.maximum((np.arange(wanted) + 0.5) * (there / wanted) - 0.5, 0)
    first = np.minimum(place.astype(np.intp), there - 1)
    return _Axis(first, np.minimum(first + 1, there - 1), (place - first).astype(np.float32))
