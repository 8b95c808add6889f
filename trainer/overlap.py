"""Checks that training and validation share no image."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from scorer.errors import BadDataset
from scorer.pools import Index
from scorer.pools.folder import real
from scorer.pools.index import folder_of


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


def of(images: Index) -> dict[str, str]:
    """The names of a pool's images, by place."""
    folder = folder_of(images)
    return below(images.where if folder is None else folder.root, images.names)


def below(root: Path | str, names: Iterable[str]) -> dict[str, str]:
    """The names of images, by place: a path below a folder, or an address in another pool."""
    start = str(real(root)) if isinstance(root, Path) else root
    return {os.path.join(start, name): name for name in names}  # noqa: PTH118  # of a million
