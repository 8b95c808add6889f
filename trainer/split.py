"""A part of a dataset: images, and what is known of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scorer.pools import Index
from scorer.selection import exclusion


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images, and for each of them a mask in `masks`, clicks in `labels`, or neither.

    dense_labels: a folder of masks of some of them, which people made or corrected. mask_name: from
    the name of an image to that of its mask. ids: from the values of the masks to classes,
    masks.IGNORE where there is none; None where they are classes already.
    """

    images: Index
    masks: Path | None
    labels: Path | None = None
    dense_labels: Path | None = None
    mask_name: Callable[[str], str] = exclusion.mask_name
    ids: Mapping[int, int] | None = None

    def mask(self, name: str) -> Path | None:
        """The mask of an image."""
        return None if self.masks is None else self.masks / self.mask_name(name)
