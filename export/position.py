"""Where in an image a map looks: what moves in the map when a part of the image changes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Map = npt.NDArray[np.floating]

_PLACES = (0.25, 0.75)  # of the changed strips, in parts of a side
_THINNEST = 1 / 16  # of a strip, in parts of a side
# Of the range of changes: only what changes by more counts, lest a faint change everywhere would.
_LEAST = 0.4
# A map of which more changes than this share looks at the whole image everywhere.
_MOST = 0.6
# What networks with zeros around their convolutions were found to be off by, at most: in cells of
# their features, in parts of what a strip changes, and all of them by one way, in parts of a side.
_CELLS, _PARTS, _ASIDE = 1.5, 0.15, 1 / 8


@dataclass(frozen=True)
class Look:
    """Of one axis, in pixels of the image: how far the map's places of two strips are off.

    side: of the image. cell: side of what one value of the map stands for. off: of the strip at a
    quarter, and of that at three quarters; positive where the map shows it lower or further right.
    extent: how much of the map a strip changes, None where it is nearly all of it.
    """

    side: int
    cell: float
    off: tuple[float, float]
    extent: float | None

    @property
    def stretched(self) -> bool:
        """Whether the strips lie further apart in the map than in the image."""
        return self.off[1] - self.off[0] > self._tolerance

    @property
    def moved(self) -> bool:
        """Whether both strips lie elsewhere in the map, on the same side. Strides with an odd
        kernel move maps by half of them.
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
    """Rows and columns of what `see` makes of an image [H, W, 3]: a map [h, w] or maps [C, h, w],
    stretched over the image. features: the size of what is enlarged to it; None: nothing is.
    """
    before = _maps(see(image))
    size = features or (before.shape[1], before.shape[2])
    rows, columns = (_look(image, before, see, axis, size[axis]) for axis in (0, 1))
    return rows, columns


def elsewhere(of_axes: tuple[Look, Look], size: tuple[int, int]) -> str:
    """Why a map of `size` on these axes is not one of the whole image; empty where it is one."""
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
    """Whether no one stride, rounded up or down, makes both sides."""
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
