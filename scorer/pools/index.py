"""A pool whose entries are in memory, for access by name."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from scorer.errors import BadPool
from scorer.images.encoded import Encoded
from scorer.pools.declared import DeclaredPool
from scorer.pools.folder import Folder, is_below
from scorer.pools.pool import Entry, Pool


@dataclass(frozen=True)
class Index:
    """The images of a pool by name, in order; also a Pool."""

    pool: Pool
    by_name: Mapping[str, Entry]

    @classmethod
    def of(cls, pool: Pool) -> "Index":
        """List all images of a pool. Raises BadPool."""
        return cls(pool, {entry.name: entry for entry in pool.entries()})

    @property
    def where(self) -> str:
        return self.pool.where

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def entries(self) -> Iterator[Entry]:
        return iter(self.by_name.values())

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        return self.pool.read(entry, stop)

    def absolute(self) -> "Index":
        return replace(self, pool=self.pool.absolute())

    def now(self, entry: Entry) -> Entry:
        return self.pool.now(entry)

    def image(self, name: str) -> Encoded:
        """The encoded image of a name in the index. Raises BadImage."""
        return self.pool.read(self.by_name[name])

    def only(self, names: Iterable[str]) -> "Index":
        """An index of these images, in this order."""
        return replace(self, by_name={name: self.by_name[name] for name in names})

    def confined(self) -> tuple["Index", int]:
        """The index without links out of a folder, which are not followed later either, and their
        number.

        Raises BadPool if nothing else remains.
        """
        place = folder_of(self)
        if place is None or place.confined:
            return self, 0
        folder = replace(place, confined=True)
        inside = {name: one for name, one in self.by_name.items() if folder.holds(name)}
        if not inside:
            raise BadPool(
                f"all images of {self.where} are links out of it",
                remedy="give --pool the folder that they lead to, or a .txt list of them",
            )
        pool = replace(self.pool, pool=folder) if isinstance(self.pool, DeclaredPool) else folder
        return Index(pool, inside), len(self) - len(inside)


def stored(pool: Pool) -> Pool:
    """The pool that reads the images, without its index and the statements about its samples."""
    while isinstance(pool, Index | DeclaredPool):
        pool = pool.pool
    return pool


def folder_of(pool: Pool) -> Folder | None:
    """The local folder that contains a pool's images; None for other pools."""
    found = stored(pool)
    return found if isinstance(found, Folder) else None


def is_among(path: Path, pool: Pool) -> bool:
    """Whether a file at `path` would become an image of the pool."""
    place = folder_of(pool)
    return place is not None and is_below(path, place.root)


def named(root: Path, names: Iterable[str]) -> Index:
    """An index of the named files of a folder, which may not exist."""
    folder = Folder(root)
    return Index(folder, {name: folder.entry(name) for name in names})
