"""Clicked pixels: what an annotator knows of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scorer.errors import BadLabels


@dataclass(frozen=True)
class Click:
    """One labelled pixel of the original image; `label` is a class index or None."""

    row: int
    col: int
    label: int | None


@dataclass(frozen=True)
class Labels:
    """The clicks of every image, by image name, in the order of the file. sizes: height and width
    of the upright images that they are of, where that is known.
    """

    clicks: Mapping[str, Sequence[Click]]
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, image: str) -> Sequence[Click]:
        return self.clicks.get(image, ())

    def other_size(self, image: str, size: tuple[int, int]) -> tuple[int, int] | None:
        """The height and width that the labels of an image were given at, where it has others."""
        known = self.sizes.get(image, size)
        return known if known != size else None

    def check_size(self, image: str, size: tuple[int, int]) -> None:
        """Refuse labels that were given at another size than that of the image. BadLabels."""
        if other := self.other_size(image, size):
            raise BadLabels(
                f"the labels of {image} were given at {other[0]}x{other[1]} (height x width), and "
                f"the image is {size[0]}x{size[1]}",
                remedy="use the images that were labelled; or remove these rows from the CSV, or "
                f"these answers from the store, with: scorer labels retract --image {image}",
            )

    def __len__(self) -> int:
        return sum(len(clicks) for clicks in self.clicks.values())

    @property
    def labelled(self) -> int:
        """Clicks with a class."""
        return sum(click.label is not None for one in self.clicks.values() for click in one)
