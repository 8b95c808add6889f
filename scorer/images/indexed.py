"""Class index masks as palette images in the colours of the classes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.images.colours import Colour

UNKNOWN = 255  # mask value of a pixel without a class


def picture(label: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> Image.Image:
    """A palette image of class indices [H, W]; UNKNOWN is black."""
    found = Image.fromarray(label)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    palette[UNKNOWN] = 0
    found.putpalette(palette.tobytes())
    return found
