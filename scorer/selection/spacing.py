"""The n best pixels of an image that keep their distance from each other."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scorer.contract import NO_SCORE, Contract
from scorer.images.geometry import Geometry

Position = tuple[int, int]  # row, col


class Spacing(NamedTuple):
    """radius: in pixels of the original image; 0: no distance is kept.

    halves: where no pixel is left at that radius, it is halved until there is one. labelled: of the
    radius, what a labelled pixel keeps the others at.
    """

    radius: float
    halves: bool = True
    labelled: float = 1.0


AUTO = None  # a distance that follows from the image and n

# Of the side of the square that an image has for each of n pixels. Where BalEnt reaches 0 the
# pixels of BalEntAcq lie apart by themselves, and a small radius parts the few that do not.
_NET, _APART = 0.25, 0.5
_REACHED = 0.001  # of the pixels of the image
_LABELLED = 0.5  # of the radius: so far from what is labelled already


def of(
    distance: float | None,
    geometry: Geometry,
    n: int,
    contract: Contract,
    nonnegative: float | None = None,
) -> Spacing:
    """The spacing of n pixels of an image: a distance in its pixels, or AUTO.

    AUTO adds nothing where chance spreads the choice already. nonnegative: of the pixels, the share
    with BalEnt ≥ 0, where it is known.
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
    """Up to n pixels of the map [H, W], best first: each the best of those that are left.

    NO_SCORE marks what is never picked. A pick bars what lies nearer than the radius, and so does a
    pixel of the original image in `taken`. Of equal scores the first by row, then column.
    """
    picks: list[Position] = []
    radius = spacing.radius
    left = _left(score, geometry, taken, picks, radius, spacing.labelled)
    while len(picks) < n:
        place = divmod(int(left.argmax()), left.shape[1])
        if not left[place] <= NO_SCORE:  # what is no number is picked, and found out
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
    """Whatever shows a pixel of the original image nearer than `radius` to this one."""
    if radius > 0:
        box, near = geometry.near(*place, radius)
        left[box][near] = NO_SCORE
