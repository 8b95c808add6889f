"""Maps pixels between the original photograph and the map of a graph.

An image is scaled by one factor to fit inside the HxW grid of the network, without centring: it
starts at (0, 0), and the rest of the grid is padding. The map has a pixel for every stride × stride
pixels of the grid. Pixels are areas: pixel i covers [i, i + 1), its centre is i + 0.5.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Geometry:
    """An image of size `image` (height, width), its place on a `grid`, and the map over the
    grid.
    """

    image: tuple[int, int]
    grid: tuple[int, int]
    stride: int = 1

    @cached_property
    def content(self) -> tuple[int, int]:
        """Height and width of the scaled image inside the grid; at least one pixel each."""
        scale = min(self.grid[0] / self.image[0], self.grid[1] / self.image[1])
        height, width = (max(1, round(side * scale)) for side in self.image)
        return min(height, self.grid[0]), min(width, self.grid[1])

    @property
    def map(self) -> tuple[int, int]:
        """Height and width of the map."""
        return self.grid[0] // self.stride, self.grid[1] // self.stride

    @cached_property
    def mapped(self) -> tuple[int, int]:
        """Number of rows and columns of the map whose centres are inside the scaled image."""
        height, width = (max(1, math.ceil(side / self.stride - 0.5)) for side in self.content)
        return min(height, self.map[0]), min(width, self.map[1])

    def to_image(self, row: int, col: int) -> tuple[int, int]:
        """The original pixel that contains the centre of map pixel (row, col)."""
        return self._to_image(row, 0), self._to_image(col, 1)

    def to_map(self, row: int, col: int) -> tuple[int, int]:
        """The map pixel that contains the centre of original pixel (row, col)."""
        return self._to_map(row, 0), self._to_map(col, 1)

    # Integer arithmetic: (index + 1/2) · length / length', rounded down, without rounding errors.

    def _to_image(self, index: int, axis: int) -> int:
        image, content = self.image[axis], self.content[axis]
        return min((2 * index + 1) * self.stride * image // (2 * content), image - 1)

    def _to_map(self, index: int, axis: int) -> int:
        image, content = self.image[axis], self.content[axis]
        place = (2 * index + 1) * content // (2 * image * self.stride)
        return min(place, self.mapped[axis] - 1)

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """Coordinates on the grid of the centre of original pixel (row, col), which may be
        fractional.

        Coordinates are indices at centres: (0.0, 0.0) is the centre of the first grid pixel.
        """
        return (
            (row + 0.5) * self.content[0] / self.image[0] - 0.5,
            (col + 0.5) * self.content[1] / self.image[1] - 0.5,
        )

    def near(
        self, row: int, col: int, distance: float
    ) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
        """Map pixels whose original pixels are less than `distance` from (row, col): a box of the
        map, and a mask within it.
        """
        box = []
        squares = []
        for places, middle in zip(self._places, (row, col), strict=True):
            first = int(np.searchsorted(places, middle - distance))
            last = int(np.searchsorted(places, middle + distance, side="right"))
            box.append(slice(first, last))
            squares.append((places[first:last] - middle) ** 2)
        return (box[0], box[1]), np.add.outer(*squares) < distance**2

    def originals(self) -> tuple[npt.NDArray[np.intp], ...]:
        """The original pixels of the map's pixels, as an index into the original image."""
        rows, cols = self._places
        height, width = self.mapped
        return np.ix_(rows[:height], cols[:width])

    @cached_property
    def _places(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The original row of each row of the map, and the column of each column."""
        rows, cols = (np.array([self._to_image(i, a) for i in range(self.map[a])]) for a in (0, 1))
        return rows, cols

    def whole(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Enlarge a map of the size `mapped` to `content`: a value for every pixel of the scaled
        image.

        The last row and column are extended by less than half a stride.
        """
        rows, cols = (
            np.minimum(np.arange(side) // self.stride, there - 1)
            for side, there in zip(self.content, self.mapped, strict=True)
        )
        grown: npt.NDArray[Any] = values[np.ix_(rows, cols)]
        return grown

    def contains(self, row: int, col: int) -> bool:
        """Whether (row, col) is a pixel of the original image."""
        return 0 <= row < self.image[0] and 0 <= col < self.image[1]

    def exclude(self) -> npt.NDArray[np.uint8]:
        """1 where a map pixel must not be selected: padding, and duplicates.

        If an image is enlarged, several map pixels correspond to one original pixel; only the one
        that the original pixel maps to may be selected, so that no original pixel is asked for
        twice.
        """
        mask = np.ones(self.map, np.uint8)
        mask[np.ix_(self._canonical(0), self._canonical(1))] = 0
        return mask

    def _canonical(self, axis: int) -> npt.NDArray[np.intp]:
        indices = range(self.mapped[axis])
        there = (self._to_map(self._to_image(index, axis), axis) for index in indices)
        return np.array(
            [index for index, back in zip(indices, there, strict=True) if index == back]
        )
