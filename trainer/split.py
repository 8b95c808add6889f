"""A training or validation split: images with masks or labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scorer.pools import Index
from scorer.selection import exclusion


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images, and for each of them a mask in `masks`, clicks in `labels`, or neither.

    dense_labels: folder of masks of some of them, made or corrected by people. mask_name: from the
    name of an image to that of its mask. ids: class indices by mask value, masks.IGNORE for no
    class; None where mask values are class indices.
    """

    images: Index
    masks: Path | None
    labels: Path | None = None
    dense_labels: Path | None = None
    mask_name: Callable[[str], str] = exclusion.mask_name
    ids: Mapping[int, int] | None = None

    def mask(self, name: str) -> Path | None:
        """The path of an image's mask; None without masks."""
        return None if self.masks is None else self.masks / self.mask_name(name)
