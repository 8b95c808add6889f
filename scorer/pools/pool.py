"""What every place where images live has in common."""

import threading
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from scorer.errors import BadImage, BadPool
from scorer.images.encoded import Encoded
from scorer.images.photograph import SUFFIXES


class Entry(NamedTuple):
    """An image of a pool.

    name: what rankings and labels call it. location: what its pool needs to find it, beside its
    name. size: in bytes, -1 where that is not known. mark: changes when the image does.
    """

    name: str
    location: str
    size: int
    mark: str


class Pool(Protocol):
    """Images at a place. It goes to other processes and machines, so it is small when pickled."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All images, each name once, sorted by name. Raises BadPool."""
        ...

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        """An image, encoded; BadImage where it cannot be had.

        stop: once it is set, a server that does not answer is not waited for.
        """
        ...

    def absolute(self) -> "Pool":
        """The same pool for a process that works in another folder."""
        ...

    def now(self, entry: Entry) -> Entry:
        """The entry with its size and mark of this moment, where the pool can tell them at once."""
        ...


def no_images(where: object) -> BadPool:
    suffixes = " ".join(sorted(SUFFIXES))
    return BadPool(f"{where} holds no images", remedy=f"looked for files ending in {suffixes}")


def check_name(name: str) -> None:
    """Raise BadImage for a name that no UTF-8 file could hold: rankings and labels are UTF-8."""
    if name != name.encode("utf-8", "replace").decode():
        raise BadImage("file name is not UTF-8", ascii(name))
