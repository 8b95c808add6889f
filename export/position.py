"""Measures at which position of the image a map responds: changes image strips, locates the
changes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Map = npt.NDArray[np.floating]

_PLACES = (0.25, 0.75)  # centres of the changed strips, as fractions of a side
_THINNEST = 1 / 16  # least thickness of a strip, as a fraction of a side
# Changes below this fraction of the range of changes are ignored, because a faint change may be
# everywhere.
_LEAST = 0.4
# If more than this share of a map changes, each of its values depends on the whole image.
_MOST = 0.6
# Largest offsets measured on networks with zero padding: in cells of their features, as a fraction
# of the changed extent, and, for a common shift, as a fraction of a side.
_CELLS, _PARTS, _ASIDE = 1.5, 0.15, 1 / 8


@dataclass(frozen=True)
class Look:
    """How far a map's response to two changed image strips is off along one axis, in image pixels.

    side: of the image. cell: image pixels per map value. off: offsets of the strips at one quarter
    and at three quarters of the side; positive where the response is lower or further right.
    extent: length of the map that a strip changes; None where nearly all of the map changes.
    """

    side: int
    cell: float
    off: tuple[float, float]
    extent: float | None

    @property
    def stretched(self) -> bool:
        """Whether the responses are further apart than the strips."""
        return self.off[1] - self.off[0] > self._tolerance

    @property
    def moved(self) -> bool:
        """Whether both responses are shifted in the same direction by more than the tolerance. A
        stride with an odd kernel shifts a map by half the stride, which the tolerance allows.
        """
        most = max(self._tolerance, _ASIDE * self.side)
        return min(self.off) > most or max(self.off) < -most

    @property
    def _tolerance(self) -> float:
        if self.extent is None:
            return np.inf
        return max(_CELLS * self.cell, _PARTS * self.extent)


def looks(
    image: Image, see: Callable[[Image], Map], features: tuple[int, int] | None = None
) -> tuple[Look, Look]:
    """Measure the offsets along rows and columns of the map that `see` computes.

    image: [H, W, 3]. see: returns a map [h, w] or maps [C, h, w] that cover the image. features:
    size (height, width) of the features that are upsampled to the map; None without upsampling.
    """
    before = _maps(see(image))
    size = features or (before.shape[1], before.shape[2])
    rows, columns = (_look(image, before, see, axis, size[axis]) for axis in (0, 1))
    return rows, columns


def elsewhere(of_axes: tuple[Look, Look], size: tuple[int, int]) -> str:
    """Why a map of `size` does not cover the whole image in place; empty if it does."""
    rows, columns = of_axes
    unlike = _another_shape(of_axes, size)
    stretched = [axis.stretched for axis in of_axes]
    unknown = rows.extent is None and columns.extent is None
    if all(stretched) or (unlike and (any(stretched) or unknown)):
        return f"its {size[0]}x{size[1]} scores are those of the middle of the image"
    if rows.moved or columns.moved:
        off = [sum(axis.off) / 2 for axis in of_axes]
        return f"its scores lie {off[0]:+.0f} rows and {off[1]:+.0f} columns from what they look at"
    return ""


def _another_shape(of_axes: tuple[Look, Look], size: tuple[int, int]) -> bool:
    """Whether no single stride, with rounding, gives the map's height and width."""
    sides = [axis.side for axis in of_axes]
    least = max(side / (small + 1) for side, small in zip(sides, size, strict=True))
    most = min(side / max(small - 1, 1e-9) for side, small in zip(sides, size, strict=True))
    return least > most


def _maps(values: Map) -> npt.NDArray[np.float64]:
    return np.asarray(values, np.float64).reshape(-1, *values.shape[-2:])


def _look(
    image: Image,
    before: npt.NDArray[np.float64],
    see: Callable[[Image], Map],
    axis: int,
    features: int,
) -> Look:
    side, places = image.shape[axis], before.shape[axis + 1]
    cell = side / min(features, places)
    thick = max(2, round(max(_THINNEST * side, cell)))
    off, extents = [], []
    for part in _PLACES:
        start = round(part * side - thick / 2)
        changed = np.moveaxis(image.copy(), axis, 0)
        changed[start : start + thick] = 255 - changed[start : start + thick]
        after = _maps(see(np.ascontiguousarray(np.moveaxis(changed, 0, axis))))
        change = np.abs(after - before).sum(axis=0).sum(axis=1 - axis)
        height = change - change.min()
        weight = np.clip(height - _LEAST * height.max(), 0, None)
        if not weight.any():
            return Look(side, cell, (0.0, 0.0), None)
        centre = np.average((np.arange(places) + 0.5) * (side / places), weights=weight)
        off.append(float(centre - start - thick / 2))
        extents.append(float((weight > 0).mean()))
    extent = None if max(extents) > _MOST else max(extents) * side
    return Look(side, cell, (off[0], off[1]), extent)
