"""Labelled pixels of images."""

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
    """The clicks of every image, by image name, in the order of the file.

    sizes: height and width of the upright image at which its labels were given, if known.
    """

    clicks: Mapping[str, Sequence[Click]]
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, image: str) -> Sequence[Click]:
        return self.clicks.get(image, ())

    def other_size(self, image: str, size: tuple[int, int]) -> tuple[int, int] | None:
        """The (height, width) at which an image was labelled, if it differs from `size`; else
        None.
        """
        known = self.sizes.get(image, size)
        return known if known != size else None

    def check_size(self, image: str, size: tuple[int, int]) -> None:
        """Raise BadLabels if an image was labelled at another size."""
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
        """Number of clicks with a class."""
        return sum(click.label is not None for one in self.clicks.values() for click in one)
