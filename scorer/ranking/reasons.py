"""Explains in a sentence why an image is worth labelling: what is uncertain, rare or new in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scorer.labels import Labels
from scorer.ranking.likeness import Likeness
from scorer.selection.result import Ranked
from scorer.selection.sight import Sight

RARE = 0.01  # share of the pool's pixels below which a class is rare
SHOWN = 0.005  # least share of an image's pixels for a rare class to be mentioned


@dataclass(frozen=True)
class Reason:
    """Reasons to label an image.

    mean: of the map. uncertain: share of its uncertain pixels, if measured. shares: of its pixels,
    by class. rare: classes that are rare in the pool, rarest first. unlike: see Likeness; None if
    unknown.
    """

    mean: float
    uncertain: float | None
    shares: npt.NDArray[np.float32]
    rare: tuple[int, ...]
    unlike: float | None
    is_labelled: bool


@dataclass(frozen=True)
class Reasons:
    """Statistics of a pool: the share of every predicted class, and the palettes and the number of
    labelled images.
    """

    classes: Sequence[str]
    shares: Sequence[float]
    labels: Labels
    labelled: int
    likeness: Likeness | None

    @classmethod
    def of(cls, images: Iterable[Ranked], classes: Sequence[str], labels: Labels | None) -> Self:
        """Collect the statistics. Memory grows by 216 bytes per labelled image, not with the
        pool.
        """
        labels = labels or Labels({})
        counts = np.zeros(len(classes), np.int64)
        palettes = []
        for one in images:
            sight = _sight(one)
            counts += sight.classes
            if _is_labelled(one.image, labels):
                palettes.append(sight.palette)
        shares = (counts / max(counts.sum(), 1)).tolist()
        likeness = Likeness.among(palettes)
        return cls(classes, shares, labels, len(palettes), likeness)

    def of_image(self, one: Ranked) -> Reason:
        sight, is_labelled = _sight(one), _is_labelled(one.image, self.labels)
        shares = (np.array(sight.classes) / sum(sight.classes)).astype(np.float32)
        rare = [
            index
            for index in np.argsort(self.shares, kind="stable").tolist()
            if self.shares[index] < RARE and shares[index] >= SHOWN
        ]
        unlike = None
        if self.likeness is not None and not is_labelled:
            unlike = self.likeness.unlike(sight.palette)
        return Reason(sight.mean, one.share, shares, tuple(rare), unlike, is_labelled)

    def sentence(self, reason: Reason, above: float) -> str:
        """The sentence about an image; above: share of the pool's images with a smaller mean of the
        map.
        """
        if reason.uncertain is None:
            mean = f"its map has a mean of {reason.mean:.3g}"
            said = [f"{mean}, more than {_percent(above)} of the images"]
        else:
            said = [f"uncertain on {_percent(reason.uncertain)} of its pixels"]
        if reason.rare:
            named = (
                f"{self.classes[index]} ({_percent(self.shares[index])} of the pool)"
                for index in reason.rare
            )
            said.append(f"shows {', '.join(named)}")
        if reason.unlike is not None and reason.unlike > 1:
            said.append("unlike the labelled images")
        if reason.is_labelled:
            said.append("has labels already")
        return "; ".join(said)


def _is_labelled(image: str, labels: Labels) -> bool:
    return any(click.label is not None for click in labels.of(image))


def _sight(one: Ranked) -> Sight:
    assert one.sight is not None, "scored with Criteria(why=True)"
    return one.sight


def _percent(share: float) -> str:
    """A share as per cent with two digits: 14%, 1.4%, 0.31%."""
    return f"{100 * share:.2g}%" if share < 0.995 else "100%"
