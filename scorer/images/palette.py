"""Colour histograms of photographs, to compare their appearance without a network."""

import numpy as np
import numpy.typing as npt

from scorer.images.photograph import Photograph

_LEVELS = 6  # per channel
SIZE = _LEVELS**3
_ONE = 255


def of(photograph: Photograph) -> bytes:
    """255 times the square root of the share of pixels in each of 6x6x6 boxes of RGB, rounded: 216
    bytes. Padding is excluded.
    """
    height, width = photograph.geometry.content
    pixels = photograph.pixels[:height, :width].reshape(-1, 3)
    red, green, blue = (pixels.T.astype(np.int32) * _LEVELS) >> 8
    counts = np.bincount((red * _LEVELS + green) * _LEVELS + blue, minlength=SIZE)
    roots = np.rint(_ONE * np.sqrt(counts / len(pixels)))
    return bytes(roots.astype(np.uint8))


def distances(
    some: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Hellinger distances [M, N] of vectors [M, 216] and [N, 216]: 0 for equal colours in equal
    shares, 1 for no colour in common.
    """
    squares = np.add.outer((some**2).sum(axis=1), (others**2).sum(axis=1))
    found: npt.NDArray[np.float32] = np.sqrt(np.maximum(squares - 2 * some @ others.T, 0) / 2)
    return found


def vectors(palettes: list[bytes]) -> npt.NDArray[np.float32]:
    """Palettes as rows of length 1, up to rounding: float32 [N, 216]."""
    joined = np.frombuffer(b"".join(palettes), np.uint8).reshape(-1, SIZE)
    return joined.astype(np.float32) / np.float32(_ONE)
