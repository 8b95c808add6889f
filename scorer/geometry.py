"""Where a pixel of the original photograph lies on the H×W grid of the graph, and back.

An image is scaled by one factor to fit inside the grid, centred nowhere: it starts at (0, 0), the
rest of the grid is padding. Pixels are areas: pixel i covers [i, i + 1), its centre is i + 0.5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Geometry:
    """The map between an image of `image` (height, width) and its place on a `grid`."""

    image: tuple[int, int]
    grid: tuple[int, int]

    @cached_property
    def content(self) -> tuple[int, int]:
        """Height and width of the scaled image inside the grid; at least one pixel each."""
        scale = min(self.grid[0] / self.image[0], self.grid[1] / self.image[1])
        height, width = (max(1, round(side * scale)) for side in self.image)
        return min(height, self.grid[0]), min(width, self.grid[1])

    def to_image(self, row: int, col: int) -> tuple[int, int]:
        """The original pixel that holds the centre of grid pixel (row, col)."""
        return (
            _rescale(row, self.content[0], self.image[0]),
            _rescale(col, self.content[1], self.image[1]),
        )

    def to_grid(self, row: int, col: int) -> tuple[int, int]:
        """The grid pixel that holds the centre of original pixel (row, col)."""
        return (
            _rescale(row, self.image[0], self.content[0]),
            _rescale(col, self.image[1], self.content[1]),
        )

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """Where the centre of original pixel (row, col) lies on the grid, between pixels too.

        A grid pixel's own centre has its index as coordinate: (0.0, 0.0) is the first pixel's.
        """
        return (
            (row + 0.5) * self.content[0] / self.image[0] - 0.5,
            (col + 0.5) * self.content[1] / self.image[1] - 0.5,
        )

    def contains(self, row: int, col: int) -> bool:
        """Whether (row, col) is a pixel of the original image."""
        return 0 <= row < self.image[0] and 0 <= col < self.image[1]

    def exclude(self) -> npt.NDArray[np.uint8]:
        """1 where a grid pixel must not be selected: padding, and second copies.

        Where an image is enlarged, several grid pixels show one original pixel; only the one
        that the original pixel maps to may be selected, so no original pixel is asked twice.
        """
        mask = np.ones(self.grid, np.uint8)
        rows = _canonical(self.content[0], self.image[0])
        cols = _canonical(self.content[1], self.image[1])
        mask[np.ix_(rows, cols)] = 0
        return mask


def _rescale(index: int, length: int, target: int) -> int:
    # Integer arithmetic: (index + 1/2) * target / length, rounded down, without float doubts.
    return (2 * index + 1) * target // (2 * length)


def _canonical(content: int, image: int) -> npt.NDArray[np.intp]:
    indices = range(content)
    return np.array(
        [i for i in indices if _rescale(_rescale(i, content, image), image, content) == i]
    )
