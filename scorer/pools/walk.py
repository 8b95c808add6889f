"""Walks the images below a folder, sorted by name, with one folder at a time in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from scorer.console import say
from scorer.images.photograph import SUFFIXES


class Item(NamedTuple):
    """An item of a folder: name, whether it is a folder, size in bytes, and mark."""

    name: str
    is_folder: bool
    size: int = -1
    mark: str = ""


# System folders of thumbnails and copies: of Synology, macOS, Windows, and of file systems. Those
# of QNAP and of Linux desktops, and AppleDouble files begin with a dot.
SYSTEM = frozenset(
    {"@eadir", "__macosx", "#recycle", "#snapshot", "$recycle.bin", "system volume information",
     "lost+found"}
)  # fmt: skip
HIDDEN = "hidden image"


def walk(
    items: Callable[[str], Iterable[Item]],
    is_wanted: Callable[[str], bool] | None = None,
    below: str = "",
    passed: Counter[str] | None = None,
) -> Iterator[tuple[str, Item]]:
    """Yield the files below a folder, sorted by whole path.

    items: lists a folder, "" the root. is_wanted: of a file name; None: images. Hidden and system
    items are ignored, and counted in `passed`: folders by name, and images.
    """
    wanted, there = is_wanted or is_image, []
    for item in items(below):
        if not is_passed_over(item.name):
            there.append(item)
        elif passed is not None and (item.is_folder or wanted(item.name)):
            passed[f"folder {item.name}" if item.is_folder else HIDDEN] += 1
    # With a trailing slash a folder sorts as the paths below it.
    for item in sorted(there, key=lambda one: f"{one.name}/" if one.is_folder else one.name):
        path = f"{below}/{item.name}" if below else item.name
        if item.is_folder:
            yield from walk(items, wanted, path, passed)
        elif wanted(item.name):
            yield path, item


def telling(items: Callable[[str], Iterable[Item]], where: str) -> Iterator[tuple[str, Item]]:
    """Yield the images below a folder, and at the end report what was ignored."""
    passed: Counter[str] = Counter()
    yield from walk(items, passed=passed)
    tell(where, passed)


def tell(where: str, passed: Counter[str]) -> None:
    """Report what was ignored, once per place."""
    if passed:
        found = ", ".join(f"{what} ({count})" for what, count in sorted(passed.items()))
        _say(f"passed over in {where}: {found}")


@cache
def _say(text: str) -> None:
    say(text)


def is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is hidden, or belongs to the system."""
    return name.startswith(".") or name.lower() in SYSTEM
