"""Checks that training and validation share no image."""

import filecmp
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from scorer.console import counted
from scorer.errors import BadDataset
from scorer.pools import Index
from scorer.pools.folder import Folder, real
from scorer.pools.index import stored
from scorer.pools.listing import Listing


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


def copies(learned: Iterable[str], measured: Iterable[str]) -> list[str]:
    """A warning if files of the validation are byte for byte files that are learned from.

    Both: places of images, such as those of `of`. Files that cannot be read are passed over.
    """
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for place in learned:
        if (length := _length(place)) is not None:
            by_size[length].append(place)
    pairs = [(place, by_size.get(_length(place) or -1, ())) for place in measured]
    same = [(place, other) for place, others in pairs for other in others if _equal(place, other)]
    if not same:
        return []
    count = len({place for place, _ in same})
    what = f"learned from under another name: {counted(count, 'image')} of the validation, such as"
    return [f"{what} {same[0][0]}, a copy of {same[0][1]}: what is measured is too good"]


def _length(place: str) -> int | None:
    try:
        return Path(place).stat().st_size
    except (OSError, ValueError):
        return None


def _equal(place: str, other: str) -> bool:
    try:
        return filecmp.cmp(place, other, shallow=False)
    except OSError:
        return False


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
