"""A pool in memory: its images by name, for whoever wants one of them and not all in turn."""

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
    """Images of a pool by name, in its order; a pool itself."""

    pool: Pool
    by_name: Mapping[str, Entry]

    @classmethod
    def of(cls, pool: Pool) -> "Index":
        """All images of a pool. Raises BadPool."""
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
        """The image of a name that is here, encoded; BadImage where it cannot be had."""
        return self.pool.read(self.by_name[name])

    def only(self, names: Iterable[str]) -> "Index":
        """These images alone, in this order."""
        return replace(self, by_name={name: self.by_name[name] for name in names})

    def confined(self) -> tuple["Index", int]:
        """Without the links that lead out of a folder, and how many those are; they are not
        followed later either.
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


def folder_of(pool: Pool) -> Folder | None:
    """The folder of this machine that holds the images of a pool, if one does."""
    while isinstance(pool, Index | DeclaredPool):
        pool = pool.pool
    return pool if isinstance(pool, Folder) else None


def is_among(path: Path, pool: Pool) -> bool:
    """Whether a picture that is written there would become an image of the pool."""
    place = folder_of(pool)
    return place is not None and is_below(path, place.root)


def named(root: Path, names: Iterable[str]) -> Index:
    """Files of a folder that somebody names, whether they are there or not."""
    folder = Folder(root)
    return Index(folder, {name: folder.entry(name) for name in names})
