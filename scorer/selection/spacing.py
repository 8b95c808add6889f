"""Chooses the n best pixels of an image at a minimum distance from each other."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scorer.contract import NO_SCORE, Contract
from scorer.images.geometry import Geometry

Position = tuple[int, int]  # row, col


class Spacing(NamedTuple):
    """A minimum distance of chosen pixels.

    radius: in pixels of the original image; 0: none. halves: whether the radius is halved,
    repeatedly, when no pixel is left. labelled: distance from labelled pixels, as a fraction of the
    radius.
    """

    radius: float
    halves: bool = True
    labelled: float = 1.0


AUTO = None  # a distance derived from the image and n

# As a fraction of the side of the square that each of n pixels has in the image. Where BalEnt
# reaches 0, BalEntAcq scatters its pixels anyway, and a small radius separates the few others.
_NET, _APART = 0.25, 0.5
_REACHED = 0.001  # share of the image's pixels
_LABELLED = 0.5  # distance from labelled pixels, as a fraction of the radius


def of(
    distance: float | None,
    geometry: Geometry,
    n: int,
    contract: Contract,
    nonnegative: float | None = None,
) -> Spacing:
    """The spacing of n pixels of an image for a distance in its pixels, or AUTO.

    AUTO adds none if the acquisition is random. nonnegative: share of the pixels with BalEnt ≥ 0,
    if known.
    """
    if distance is not AUTO:
        return Spacing(distance, halves=False)
    if contract.scattered:
        return Spacing(0.0)
    height, width = geometry.image
    share = _NET if nonnegative is not None and nonnegative >= _REACHED else _APART
    return Spacing(share * math.sqrt(height * width / n), labelled=_LABELLED)


def pick(
    score: npt.NDArray[np.float32],
    geometry: Geometry,
    n: int,
    spacing: Spacing,
    taken: Sequence[Position] = (),
) -> list[Position]:
    """Pick up to n pixels of the map [H, W], best first: each the best of the remaining ones.

    NO_SCORE marks excluded pixels. A pick, and a pixel of the original image in `taken`, exclude
    pixels within the radius. Of equal scores the first by row, then column, is picked.
    """
    picks: list[Position] = []
    radius = spacing.radius
    left = _left(score, geometry, taken, picks, radius, spacing.labelled)
    while len(picks) < n:
        place = divmod(int(left.argmax()), left.shape[1])
        if not left[place] <= NO_SCORE:  # also picks NaN, which is detected later
            picks.append(place)
            _bar(left, geometry, geometry.to_image(*place), radius)
            left[place] = NO_SCORE
        elif radius and spacing.halves:
            radius = radius / 2 if radius > 1 else 0.0
            left = _left(score, geometry, taken, picks, radius, spacing.labelled)
        else:
            break
    return picks


def _left(
    score: npt.NDArray[np.float32],
    geometry: Geometry,
    taken: Sequence[Position],
    picks: Sequence[Position],
    radius: float,
    labelled: float,
) -> npt.NDArray[np.float32]:
    left = np.array(score)
    for place in taken:
        _bar(left, geometry, place, radius * labelled)
    for place in picks:
        _bar(left, geometry, geometry.to_image(*place), radius)
        left[place] = NO_SCORE
    return left


def _bar(left: npt.NDArray[np.float32], geometry: Geometry, place: Position, radius: float) -> None:
    """Exclude map pixels whose original pixel is within `radius` of `place`."""
    if radius > 0:
        box, near = geometry.near(*place, radius)
        left[box][near] = NO_SCORE
