"""Augmented views of a photograph, which transform its labels with it."""

from dataclasses import dataclass

import numpy as np

from scorer.images.encoded import Encoded
from scorer.images.photograph import Photograph, load
from trainer.clicks import Points


@dataclass(frozen=True)
class View:
    """A photograph on a grid of `scale` times the usual size, flipped horizontally or not."""

    scale: float = 1.0
    flip: bool = False

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the view's grid."""
        return max(1, round(size[0] * self.scale)), max(1, round(size[1] * self.scale))

    def load(self, source: Encoded, size: tuple[int, int]) -> Photograph:
        """Decode a photograph in this view; size: (height, width) of the usual grid. Raises
        BadImage.
        """
        photograph = load(source, self.grid(size))
        if not self.flip:
            return photograph
        width = photograph.geometry.content[1]
        pixels = photograph.pixels.copy()
        pixels[:, :width] = pixels[:, :width][:, ::-1]
        return Photograph(pixels, photograph.geometry)

    def moved(self, points: Points, width: int) -> Points:
        """Transform points (row, col) of the view's unflipped grid; width: columns of the
        photograph there.
        """
        if not self.flip:
            return points
        return np.stack((points[:, 0], width - 1 - points[:, 1]), axis=1)


PLAIN = View()
# Views for training; prediction uses the plain view. Each view adds half a point of mIoU or more
# for few clicks (docs/results.md).
VIEWS = (PLAIN, View(flip=True), View(scale=0.7))
