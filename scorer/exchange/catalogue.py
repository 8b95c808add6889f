"""What is known before labels are imported: the classes, and the images with their sizes."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from scorer.errors import BadImage, BadLabels
from scorer.exchange.point import Point, check_name
from scorer.images import photograph
from scorer.pools import Index
from scorer.pools.index import folder_of
from scorer.selection.exclusion import mask_name

_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")
_REMEDY = "give the --pool or the --ranking that has this image"


@dataclass(frozen=True)
class Sizes:
    """Height and width in pixels of an image, and of the grid that its pixels were chosen on."""

    height: int
    width: int
    grid_height: int | None = None
    grid_width: int | None = None

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


@dataclass(frozen=True)
class Catalogue:
    """The classes in order, and the known images: of a ranking, a pool, and a label store.

    has_strangers: whether unknown image names are accepted as they are.
    """

    classes: tuple[str, ...]
    ranked: Mapping[str, Sizes]
    pool: Index | None = None
    stored: Mapping[str, Sizes] = field(default_factory=dict)
    has_strangers: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.ranked).union(self.stored, self.pool.names if self.pool else ())

    def size(self, image: str) -> Sizes:
        """The size of an image, from the ranking, else its file in the pool, else the store.

        Raises BadLabels if it is unknown.
        """
        for _, size in self._sizes(image):
            return size
        raise BadLabels(f"the size of {image} is not known", remedy=_REMEDY)

    def check_size(self, image: str, stated: Sizes) -> None:
        """Raise BadLabels if a label file states another size of an image than is known."""
        for who, known in self._sizes(image):
            if (known.height, known.width) != (stated.height, stated.width):
                raise BadLabels(
                    f"{image} is {stated} in the file of labels and {known} in the {who} (height x "
                    "width)",
                    remedy="label the images at their own size and upright, as they are in the pool"
                    if who != "label store"
                    else "the answers of the label store may be the wrong ones: scorer labels "
                    f"retract --image {image}",
                )

    def _sizes(self, image: str) -> Iterator[tuple[str, Sizes]]:
        """Yield the known sizes of an image with their sources; its file is opened only without a
        ranking.
        """
        if image in self.ranked:
            yield "ranking", self.ranked[image]
        elif self.pool is not None and image in self.pool:
            yield "pool", self._in_pool(image)
        if image in self.stored:
            yield "label store", self.stored[image]

    def _in_pool(self, image: str) -> Sizes:
        assert self.pool is not None
        if image not in self._opened:
            try:
                self._opened[image] = Sizes(*photograph.size(self.pool.image(image)))
            except BadImage as error:
                raise BadLabels(
                    f"{image} cannot be used: {error}",
                    remedy="repair the image, or leave its labels out",
                ) from error
        return self._opened[image]

    @cached_property
    def _opened(self) -> dict[str, Sizes]:
        return {}

    def find(self, path: str) -> str:
        """The image that another program calls `path`, which may be relative to another folder, or
        a Windows path.

        All folders that both names contain must be equal. Raises BadLabels if no image or several
        match.
        """
        if path in self.names:
            return path
        parts = parts_of(path)
        if self.has_strangers or not self.names:
            check_name(path)
            return path
        ends = {name: parts_of(name) for name in self._last.get(parts[-1], ())}
        longer = [name for name, end in ends.items() if end[-len(parts) :] == parts]
        shorter = [name for name, end in ends.items() if parts[-len(end) :] == end]
        if longer or not shorter:
            return _only(longer, path)
        found = max(shorter, key=lambda name: len(ends[name]))
        self._check_not_beside(found, parts, path)
        return found

    def _check_not_beside(self, name: str, parts: tuple[str, ...], path: str) -> None:
        """Raise BadLabels if `path` is of a folder beside the pool: south/a.jpg is not a.jpg of the
        pool north if south/a.jpg exists.
        """
        depth = len(parts_of(name)) + 1
        if len(parts) < depth:
            return
        if self.pool is None:
            self._check_alone(name, parts[-depth:], path)
            return
        place = folder_of(self.pool)
        if place is None or parts[-depth] == place.root.absolute().name:
            return
        beside = place.root.absolute().parent.joinpath(*parts[-depth:])
        if beside.is_file():
            raise BadLabels(
                f"{path} is not {name} of the pool {place.root}: there is {beside}",
                remedy="give the pool that the labels are of, or the folder of both as --pool",
            )

    def _check_alone(self, name: str, parts: tuple[str, ...], path: str) -> None:
        """Raise BadLabels if several folders here have such an image, and no pool says which
        was ranked.
        """
        here = [folder for folder in self._folders if folder.joinpath(*parts[1:]).is_file()]
        if len(here) > 1:
            raise BadLabels(
                f"{path} may be {name} of any of the folders {', '.join(map(str, sorted(here)))}",
                remedy="give --pool, the folder of the images that were ranked",
            )

    @cached_property
    def _folders(self) -> list[Path]:
        """The folders of the working directory."""
        return [one for one in Path().iterdir() if one.is_dir()]

    def find_renamed(self, last: str, rename: Callable[[str], str], path: str) -> str:
        """The image whose file name a tool changed to `last`; rename: the tool's rule. Raises
        BadLabels.
        """
        return _only([one for one in self.names if rename(_last_of(one)) == last], path)

    def of_mask(self, mask: str) -> str:
        """The image whose mask has this name. Raises BadLabels."""
        return _only(self._masks.get(mask, []), mask)

    @cached_property
    def _last(self) -> Mapping[str, list[str]]:
        """Image names by their file names."""
        return _by(_last_of, self.names)

    @cached_property
    def _masks(self) -> Mapping[str, list[str]]:
        return _by(mask_name, self.names)


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a path of any system: without a drive, with .. resolved, and in Unicode's
    composed form, as systems differ. Raises BadLabels for an empty path.
    """
    forward = _DRIVE.sub("", unicodedata.normalize("NFC", path).replace("\\", "/"))
    parts: list[str] = []
    for part in forward.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    if not parts:
        raise BadLabels(f"{path!a} is not a name of an image", remedy=_REMEDY)
    return tuple(parts)


def sizes_of(points: Iterable[Point]) -> dict[str, Sizes]:
    """The image sizes that points state. Raises BadLabels where two of an image differ."""
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


def _last_of(name: str) -> str:
    return unicodedata.normalize("NFC", PurePosixPath(name).name)


def _by(key: Callable[[str], str], names: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[key(name)].append(name)
    return found


def _only(found: list[str], name: str) -> str:
    if not found:
        raise BadLabels(f"no known image is named {name}", remedy=_REMEDY)
    if len(found) > 1:
        raise BadLabels(f"{name} could be {' or '.join(sorted(found))}", remedy="rename one")
    return found[0]
