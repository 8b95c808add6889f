"""Views of a photograph that its labels move with: a head learns from all of them."""

from dataclasses import dataclass

import numpy as np

from scorer.images.encoded import Encoded
from scorer.images.photograph import Photograph, load
from trainer.clicks import Points


@dataclass(frozen=True)
class View:
    """A photograph on a grid of `scale` times the usual size, turned about or not."""

    scale: float = 1.0
    flip: bool = False

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of its grid."""
        return max(1, round(size[0] * self.scale)), max(1, round(size[1] * self.scale))

    def load(self, source: Encoded, size: tuple[int, int]) -> Photograph:
        """Decode it. Raises BadImage."""
        photograph = load(source, self.grid(size))
        if not self.flip:
            return photograph
        width = photograph.geometry.content[1]
        pixels = photograph.pixels.copy()
        pixels[:, :width] = pixels[:, :width][:, ::-1]
        return Photograph(pixels, photograph.geometry)

    def moved(self, points: Points, width: int) -> Points:
        """Points (row, col) of its grid, where the photograph takes `width` columns of that."""
        if not self.flip:
            return points
        return np.stack((points[:, 0], width - 1 - points[:, 1]), axis=1)


PLAIN = View()
# What a head learns from; it is used on the plain view. Each adds to what few clicks teach, by half
# a point of mIoU or more (docs/results.md).
VIEWS = (PLAIN, View(flip=True), View(scale=0.7))
