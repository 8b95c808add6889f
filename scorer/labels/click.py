"""Clicked pixels: what an annotator knows of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Click:
    """One labelled pixel of the original image; `label` is a class index or None."""

    row: int
    col: int
    label: int | None


@dataclass(frozen=True)
class Labels:
    """The clicks of every image, by image name, in the order of the file."""

    clicks: Mapping[str, Sequence[Click]]

    def of(self, image: str) -> Sequence[Click]:
        return self.clicks.get(image, ())

    def __len__(self) -> int:
        return sum(len(clicks) for clicks in self.clicks.values())

    @property
    def labelled(self) -> int:
        """Clicks with a class."""
        return sum(click.label is not None for one in self.clicks.values() for click in one)
