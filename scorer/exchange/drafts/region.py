"""The regions of an image, independent of the format of an annotation tool."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import outline
from scorer.exchange.drafts.outline import Ring
from scorer.exchange.point import check_name
from scorer.labels.answer import UNLABELED

Patch = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region of one class.

    word: a class, or `unlabeled`. patch: bool [height, width], with its upper left pixel at (top,
    left). rings: outer outline and those of holes, if drawn as polygons. score: mean confidence, 0
    to 1. review: whether the region is marked for review.
    """

    word: str
    top: int
    left: int
    patch: Patch
    rings: Sequence[Ring] = ()
    score: float | None = None
    review: bool = False

    @property
    def area(self) -> int:
        """Area in pixels."""
        return int(self.patch.sum())

    def on(self, height: int, width: int) -> Patch:
        """The region as a mask of the whole image."""
        whole = np.zeros((height, width), bool)
        rows, cols = self.patch.shape
        whole[self.top : self.top + rows, self.left : self.left + cols] = self.patch
        return whole


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of height x width pixels and its regions, in drawing order: later ones cover earlier
    ones.

    passed_over: kinds of the shapes without an area.
    """

    image: str
    height: int
    width: int
    regions: Sequence[Region]
    passed_over: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_name(self.image)

    @property
    def score(self) -> float | None:
        """The mean confidence of its pixels, if known."""
        known = [(one.area, one.score) for one in self.regions if one.score is not None]
        pixels = sum(area for area, _ in known)
        return sum(area * score for area, score in known) / pixels if known else None


def of_rings(word: str, rings: Sequence[Ring], size: tuple[int, int], *, review: bool) -> Region:
    """The region that lines with corners (x, y) enclose; size: (height, width) of the image.

    Raises BadLabels for fewer than 3 corners, or values that are not finite.
    """
    if any(len(ring) < 3 or not np.isfinite(ring).all() for ring in rings) or not rings:
        raise BadLabels(
            f"a polygon of {word} has fewer than 3 corners, or one that is no number",
            remedy="correct the file, or export it from the tool again",
        )
    place = outline.box(rings, *size)
    patch = outline.filled(rings, place)
    return Region(word=word, top=place[0], left=place[1], patch=patch, rings=rings, review=review)


def of_patch(
    word: str, patch: Patch, corner: tuple[int, int], size: tuple[int, int], *, review: bool
) -> Region:
    """The region of a patch with its upper left pixel at `corner`. Raises BadLabels if it exceeds
    the image.
    """
    check_inside(word, corner, (patch.shape[0], patch.shape[1]), size)
    rows, cols = (np.flatnonzero(patch.any(axis)) for axis in (1, 0))
    top, left = corner
    if len(rows):  # cropped to its set pixels, as a patch may be as large as the image
        patch = patch[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].copy()
        top, left = top + int(rows[0]), left + int(cols[0])
    return Region(word=word, top=top, left=left, patch=patch, review=review)


def check_inside(
    word: str, corner: tuple[int, int], sides: tuple[int, int], size: tuple[int, int]
) -> None:
    """Raise BadLabels for a patch that exceeds an image of `size`; checked before it is decoded."""
    top, left = corner
    if min(*corner, *sides) < 0 or top + sides[0] > size[0] or left + sides[1] > size[1]:
        raise BadLabels(
            f"a mask of {word}, {sides[0]}x{sides[1]} from row {top}, col {left}, "
            f"leads out of the image of {size[0]}x{size[1]}",
            remedy="the image in the tool must be the one of the pool, at its own size",
        )


def check_size(catalogue: Catalogue, image: str, size: tuple[object, object]) -> tuple[int, int]:
    """The (height, width) of an image of the pool. Raises BadLabels if a tool states another."""
    known = catalogue.size(image)
    if size != (known.height, known.width):
        raise BadLabels(
            f"{image} is {size[0]}x{size[1]} in the tool, and {known.height}x{known.width} in the "
            "pool",
            remedy="give the tool the images of the pool as they are, neither scaled nor turned",
        )
    return known.height, known.width


def check_word(word: object, classes: Sequence[str]) -> str:
    """The word if it is a class or `unlabeled`. Raises BadLabels for others."""
    if not isinstance(word, str) or word not in (*classes, UNLABELED):
        raise BadLabels(f"there is no class {word!r}", remedy=f"classes: {', '.join(classes)}")
    return word
