"""The interface of pools."""

import threading
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from scorer.errors import BadImage, BadPool
from scorer.images.encoded import Encoded
from scorer.images.photograph import SUFFIXES


class Entry(NamedTuple):
    """An image of a pool.

    name: used in rankings and labels. location: what the pool needs besides the name to find it.
    size: in bytes, -1 if unknown. mark: changes with the image.
    """

    name: str
    location: str
    size: int
    mark: str


class Pool(Protocol):
    """Images at a place. It is sent to other processes and machines, so it is small when
    pickled.
    """

    @property
    def where(self) -> str:
        """The place, for display."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All images, each name once, sorted by name. Raises BadPool."""
        ...

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        """An encoded image. Raises BadImage.

        stop: once set, requests to an unreachable server are not repeated.
        """
        ...

    def absolute(self) -> "Pool":
        """The same pool for a process with another working directory."""
        ...

    def now(self, entry: Entry) -> Entry:
        """The entry with its current size and mark, if the pool can determine them quickly."""
        ...


def no_images(where: object) -> BadPool:
    suffixes = " ".join(sorted(SUFFIXES))
    return BadPool(f"{where} holds no images", remedy=f"looked for files ending in {suffixes}")


def check_name(name: str) -> None:
    """Raise BadImage for a name that is not valid UTF-8, which rankings and labels need."""
    if name != name.encode("utf-8", "replace").decode():
        raise BadImage("file name is not UTF-8", ascii(name))
