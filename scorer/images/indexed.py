"""Masks as pictures: the index of a class for every pixel, in the colours of the classes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.images.colours import Colour

UNKNOWN = 255  # of a mask: a pixel without a class


def picture(label: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> Image.Image:
    """Of class indices [H, W], with a palette; what is UNKNOWN is black."""
    found = Image.fromarray(label)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    palette[UNKNOWN] = 0
    found.putpalette(palette.tobytes())
    return found
