"""Divides a mask with confidences into the regions of a draft."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorer.exchange.drafts.outline import area, borders
from scorer.exchange.drafts.partition import Ids, Mask, components, without_islands
from scorer.exchange.drafts.region import Picture, Region
from scorer.exchange.drafts.simplify import simplified
from scorer.labels.answer import UNLABELED

MASKS, POLYGONS = SHAPES = ("masks", "polygons")
UNKNOWN = 255
_SHARE = 5000  # the smallest region has this fraction of the image by default


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How masks become drafts.

    shapes: "masks" keeps every pixel; "polygons" may deviate by `tolerance` pixels. min_area:
    pixels of the smallest region; None: derived from the image size. review_below: regions with a
    lower mean confidence are marked for review.
    """

    shapes: str = MASKS
    min_area: int | None = None
    tolerance: float = 1.0
    review_below: float = 0.7


def least_area(height: int, width: int) -> int:
    """Default number of pixels of the smallest region."""
    return max(1, height * width // _SHARE)


def drawn(
    image: str, mask: Mask, confidence: Mask | None, classes: Sequence[str], manner: Manner
) -> tuple[Picture, int]:
    """The draft of an image, and the number of small islands that were merged into their
    surroundings.

    mask: uint8 [H, W], class indices, 255 where unknown. confidence: uint8 [H, W], in 255ths. Each
    pixel is in one region; unknown pixels are `unlabeled`, and marked for review.
    """
    least = manner.min_area or least_area(*mask.shape)
    whole, dropped = without_islands(mask, least)
    ids = components(whole)
    areas = np.bincount(ids.ravel())
    value = np.zeros(len(areas), np.uint8)
    value[ids.ravel()] = whole.ravel()
    scores = [None] * len(areas) if confidence is None else _means(ids, confidence, areas)
    rings: list[list[npt.NDArray[np.float64]]] = [[] for _ in areas]
    if manner.shapes == POLYGONS:
        rings = simplified(borders(ids), areas, manner.tolerance)
    regions = [
        Region(
            word=UNLABELED if known == UNKNOWN else classes[known],
            top=top,
            left=left,
            patch=ids[top:bottom, left:right] == one,
            rings=rings[one],
            score=scores[one],
            review=known == UNKNOWN or _doubtful(scores[one], manner.review_below),
        )
        for one, (known, (top, left, bottom, right)) in enumerate(
            zip(value.tolist(), _boxes(ids, len(areas)), strict=True)
        )
    ]
    height, width = mask.shape
    return Picture(
        image=image, height=height, width=width, regions=sorted(regions, key=_reach)
    ), dropped


def _doubtful(score: float | None, least: float) -> bool:
    return score is not None and score < least


def _reach(region: Region) -> float:
    """Sorting key, large regions first: a region in a hole of another is drawn later, and fills
    it.
    """
    return -(area(region.rings[0]) if region.rings else region.area)


def _means(ids: Ids, confidence: Mask, areas: npt.NDArray[np.int64]) -> list[float]:
    sums = np.bincount(ids.ravel(), weights=confidence.ravel())
    means: list[float] = (sums / areas / 255).tolist()
    return means


def _boxes(ids: Ids, count: int) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of every region; bottom and right are exclusive."""
    height, width = ids.shape
    rows, cols = (
        np.broadcast_to(np.arange(height)[:, None], ids.shape),
        np.broadcast_to(np.arange(width), ids.shape),
    )
    ends = []
    for places, side in ((rows, height), (cols, width)):
        first, last = np.full(count, side), np.full(count, -1)
        np.minimum.at(first, ids, places)
        np.maximum.at(last, ids, places)
        ends.append((first.tolist(), (last + 1).tolist()))
    (top, bottom), (left, right) = ends
    return list(zip(top, left, bottom, right, strict=True))
