"""Training samples of whole networks: an image on the network's grid, and labels of its pixels."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trainer.masks import IGNORE, Mask


@dataclass(frozen=True)
class Masked:
    """One image on the network's grid: uint8 [H, W, 3], and a mask [H, W], 255 = not labelled."""

    name: str
    pixels: npt.NDArray[np.uint8]
    mask: Mask

    @property
    def points(self) -> int:
        """Number of labelled pixels."""
        return int((self.mask != IGNORE).sum())

    @property
    def present(self) -> set[int]:
        """The classes that occur."""
        return set(np.unique(self.mask[self.mask != IGNORE]).tolist())


@dataclass(frozen=True)
class Sample:
    """One image on the network's grid: uint8 [H, W, 3]; points float [N, 2]; labels [N].

    A point is the (row, column) of a labelled pixel's centre on the grid.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    @property
    def present(self) -> set[int]:
        """The classes that occur."""
        return set(self.labels.tolist())

    def masked(self) -> Masked:
        """The same labels as a mask, each at the grid pixel that contains it."""
        mask = np.full(self.pixels.shape[:2], IGNORE, np.uint8)
        rows, cols = np.floor(self.points + 0.5).astype(int).T
        mask[rows, cols] = self.labels
        return Masked(self.name, self.pixels, mask)


@dataclass
class Samples:
    """All images with labels, decoded once; `skipped` names those that could not be used."""

    samples: list[Sample | Masked] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Number of labelled pixels."""
        return sum(
            one.points if isinstance(one, Masked) else len(one.labels) for one in self.samples
        )
