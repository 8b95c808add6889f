"""What every place where images live has in common."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from scorer.images.photograph import Source


class Entry(NamedTuple):
    """An image of a pool.

    name: what rankings and labels call it. location: what its collection needs to find it, beside
    its name. size: in bytes, -1 where that is not known. mark: changes when the image does.
    """

    name: str
    location: str
    size: int
    mark: str


class Collection(Protocol):
    """Images at a place. It goes to other processes and machines, so it is small when pickled."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All images, each name once, sorted by name. Raises BadPool."""
        ...

    def read(self, entry: Entry) -> Source:
        """An image, encoded; BadImage where it cannot be had."""
        ...
