"""Compares two rankings of a pool."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scorer.errors import BadInput
from scorer.ranking import table

_NAMED = 5


@dataclass(frozen=True)
class Movement:
    """Differences between two rankings.

    same, gone, new: pixels in both, only in the earlier, only in the later one. images: number in
    both. correlation: Spearman's, of the images' places by the score of their best pixel. up, down:
    images that moved furthest, with their places before and after.
    """

    same: int
    gone: int
    new: int
    images: int
    correlation: float
    up: list[tuple[str, int, int]]
    down: list[tuple[str, int, int]]

    def lines(self) -> Iterator[str]:
        yield f"{self.same} pixels are asked again, {self.new} are new, {self.gone} are gone"
        if self.images > 1:
            yield f"{self.images} images in both, Spearman correlation {self.correlation:.3f}"
        for what, moved in (("up", self.up), ("down", self.down)):
            for image, before, after in moved:
                yield f"  {what}  {before:>7} -> {after:<7} {image}"


@dataclass(frozen=True)
class Standing:
    """The chosen pixels of a ranking, and the best score of every image."""

    pixels: frozenset[tuple[str, int, int]]
    best: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> "Standing":
        """Read a ranking. Raises BadInput if it is none."""
        pixels, best = set[tuple[str, int, int]](), dict[str, float]()
        try:
            for row in table.read(path):
                pixels.add((row["image"], row["row"], row["col"]))
                best[row["image"]] = max(best.get(row["image"], -np.inf), row["score"])
        except FileNotFoundError as error:
            raise BadInput(f"{path} does not exist", remedy="give an earlier ranking") from error
        except (KeyError, ValueError, TypeError) as error:
            raise BadInput(
                f"{path} is not a ranking: {error}", remedy="give a file that scorer rank wrote"
            ) from error
        return cls(frozenset(pixels), best)

    def until(self, later: "Standing") -> Movement:
        """The differences to a later ranking."""
        images = [image for image in self.best if image in later.best]
        before, after = _places(images, self.best), _places(images, later.best)
        moved = sorted(
            zip(images, before.tolist(), after.tolist(), strict=True),
            key=lambda one: one[2] - one[1],
        )
        return Movement(
            same=len(self.pixels & later.pixels),
            gone=len(self.pixels - later.pixels),
            new=len(later.pixels - self.pixels),
            images=len(images),
            correlation=float(np.corrcoef(before, after)[0, 1]) if len(images) > 1 else 1.0,
            up=[one for one in moved[:_NAMED] if one[2] < one[1]],
            down=[one for one in reversed(moved[-_NAMED:]) if one[2] > one[1]],
        )


def _places(images: list[str], best: Mapping[str, float]) -> npt.NDArray[np.int64]:
    """The place of every image by its best score, from 1."""
    order = np.argsort([-best[image] for image in images], kind="stable")
    places = np.empty(len(images), np.int64)
    places[order] = np.arange(1, len(images) + 1)
    return places
