"""Checks that training and validation share no image."""

import filecmp
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scorer.console import quantity
from scorer.errors import BadDataset
from scorer.pools import Index
from scorer.pools.folder import Folder, real
from scorer.pools.index import stored
from scorer.pools.listing import Listing

_LOOKED_AT = 65_536  # bytes


def check(learned: Mapping[str, str], measured: Mapping[str, str]) -> None:
    """Raise BadDataset if images of the validation are also trained on.

    Both: names of images by place, from `of` or `below`.
    """
    both = sorted(name for place, name in measured.items() if place in learned)
    if both:
        raise BadDataset(
            f"{len(both)} of the {len(measured)} images of the validation are also learned from, "
            f"such as {both[0]}: what is measured would be too good",
            remedy="take them out of [train] or out of [val]: out of one of the lists, or out of "
            "one of the folders",
        )


def copies(learned: Mapping[str, str], measured: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the images of the validation whose files are byte for byte files that are learned from,
    each with the name of one of these.

    Both: names of images by place, from `of` or `below`. Files that cannot be read are passed over.
    """
    lengths = {place: _length(place) for place in (*learned, *measured)}
    shared = {lengths[place] for place in learned} & {lengths[place] for place in measured} - {None}
    alike: defaultdict[object, list[str]] = defaultdict(list)
    for place in learned:
        if lengths[place] in shared:
            alike[lengths[place], _start(place)].append(place)
    for place, name in measured.items():
        if lengths[place] in shared:
            found = alike.get((lengths[place], _start(place)), ())
            if other := next((one for one in found if _is_equal(place, one)), None):
                yield name, learned[other]


def _length(place: str) -> int | None:
    """The size of a file in bytes; None for an empty or a missing one, and for an address."""
    try:
        return Path(place).stat().st_size or None
    except (OSError, ValueError):
        return None


def _start(place: str) -> bytes:
    """A hash of the start of a file, by which many files of one size are told apart."""
    try:
        with Path(place).open("rb") as file:
            return hashlib.sha256(file.read(_LOOKED_AT)).digest()
    except OSError:
        return b""


def _is_equal(place: str, other: str) -> bool:
    try:
        return filecmp.cmp(place, other, shallow=False)
    except OSError:
        return False


def warning(copied: Sequence[tuple[str, str]], learned: str, measured: str) -> list[str]:
    """A line about such copies; learned, measured: what stands before their names."""
    if not copied:
        return []
    one, other = copied[0]
    are = "is a copy of a training image" if len(copied) == 1 else "are copies of training images"
    return [
        f"{quantity(len(copied), 'image')} of the validation {are}, such as {measured}{one} of "
        f"{learned}{other}: the measured accuracy is too good; remove one of the two"
    ]


def of(images: Index) -> dict[str, str]:
    """The names of a pool's images, by place."""
    pool = stored(images)
    if isinstance(pool, Folder):
        return below(pool.root, images.names)
    if isinstance(pool, Listing):
        return _of_list(pool.file.parent, images.names)
    return below(pool.where, images.names)


def _of_list(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The names of a list's images, by place: a path, or a URL."""
    parents = {name: Path(name).parent for name in names if "://" not in name}
    folders = {parent: str(real(folder / parent)) for parent in set(parents.values())}
    return {
        os.path.join(folders[parents[name]], Path(name).name) if name in parents else name: name  # noqa: PTH118
        for name in names
    }


def below(root: Path | str, names: Iterable[str]) -> dict[str, str]:
    """The names of images, by place: a path below a folder, or an address in another pool."""
    start = str(real(root)) if isinstance(root, Path) else root
    return {os.path.join(start, name): name for name in names}  # noqa: PTH118  # of a million
