"""The images below a folder in the order of their names, with no more in memory than a folder."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from scorer.images.photograph import SUFFIXES


class Item(NamedTuple):
    """Something in a folder: its own name, whether it is a folder, size in bytes and mark."""

    name: str
    is_folder: bool
    size: int = -1
    mark: str = ""


def walk(
    items: Callable[[str], Iterable[Item]],
    is_wanted: Callable[[str], bool] | None = None,
    below: str = "",
) -> Iterator[tuple[str, Item]]:
    """Paths below a folder, sorted as whole texts; `items` lists a folder, "" the uppermost.

    What begins with a dot is passed over. is_wanted(name): of a file; None: images.
    """
    wanted = is_wanted or is_image
    there = [item for item in items(below) if not item.name.startswith(".")]
    # With its slash a folder stands where the paths below it stand.
    for item in sorted(there, key=lambda one: f"{one.name}/" if one.is_folder else one.name):
        path = f"{below}/{item.name}" if below else item.name
        if item.is_folder:
            yield from walk(items, wanted, path)
        elif wanted(item.name):
            yield path, item


def is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES
