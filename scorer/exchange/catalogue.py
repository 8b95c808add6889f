"""What is known before a file of labels is read: the classes, the images and their sizes."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from scorer.errors import BadImage, BadLabels
from scorer.exchange.point import Point
from scorer.images import photograph
from scorer.pools import Index
from scorer.selection.exclusion import mask_name

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts this in front of uploaded files


@dataclass(frozen=True)
class Sizes:
    """Height and width in pixels, of the image and of the grid that its pixels are chosen on."""

    height: int
    width: int
    grid_height: int | None = None
    grid_width: int | None = None


@dataclass(frozen=True)
class Catalogue:
    """The classes in their order; the images that a ranking or a store names; and a pool's."""

    classes: tuple[str, ...]
    sizes: Mapping[str, Sizes]
    pool: Index | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.sizes).union(self.pool.names if self.pool else ())

    def size(self, image: str) -> Sizes:
        """Of an image, from what named it or from the file in the pool."""
        if image in self.sizes:
            return self.sizes[image]
        if self.pool is None or image not in self.names:
            raise BadLabels(
                f"the size of {image} is not known",
                remedy="give --ranking, or a --pool that holds the image",
            )
        try:
            return Sizes(*photograph.size(self.pool.image(image)))
        except BadImage as error:
            raise BadLabels(f"{image} cannot be used: {error}") from error

    def find(self, path: str) -> str:
        """The image that another program calls `path`: the same, a path that ends so, an upload."""
        if path in self.names:
            return path
        folder, last = PurePosixPath(path).parent, PurePosixPath(path).name
        parts = (folder / last).parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        by_end = next((end for end in ends if end in self.names), None)
        found = [by_end] if by_end else self._last.get(_UPLOADED.sub("", last), [])
        return _only(found, path)

    def of_mask(self, mask: str) -> str:
        """The image whose mask is named so."""
        return _only(self._masks.get(mask, []), mask)

    @cached_property
    def _last(self) -> Mapping[str, list[str]]:
        """Names by the last part of their path."""
        return _by(lambda name: PurePosixPath(name).name, self.names)

    @cached_property
    def _masks(self) -> Mapping[str, list[str]]:
        return _by(mask_name, self.names)


def sizes_of(points: Iterable[Point]) -> dict[str, Sizes]:
    """The sizes that points state; BadLabels where two of an image differ."""
    sizes: dict[str, Sizes] = {}
    for point in points:
        stated = Sizes(point.height, point.width, point.grid_height, point.grid_width)
        known = sizes.setdefault(point.image, stated)
        if (known.height, known.width) != (point.height, point.width):
            raise BadLabels(
                f"{point.image} is {known.height}x{known.width} and {point.height}x{point.width}",
                remedy="the labels and the ranking must describe the same image files",
            )
    return sizes


def _by(key: Callable[[str], str], names: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[key(name)].append(name)
    return found


def _only(found: list[str], name: str) -> str:
    if not found:
        raise BadLabels(
            f"no known image is named {name}", remedy="give --ranking or --pool that names it"
        )
    if len(found) > 1:
        raise BadLabels(f"{name} could be {' or '.join(sorted(found))}", remedy="rename one")
    return found[0]
