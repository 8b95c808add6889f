"""The common part of pools in files that hold many images each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from scorer.pools.files import Files
from scorer.pools.pool import Entry
from scorer.pools.walk import Item


@dataclass(frozen=True)
class Packed:
    """All files of a kind below a folder, or only the file `only`."""

    suffix: ClassVar[str]
    place: Files
    only: str = ""

    @property
    def where(self) -> str:
        return f"{self.place.url}/{self.only}" if self.only else self.place.url

    def mark(self, item: Item) -> str:
        """The mark of every image in a file: it changes with the file."""
        return f"{item.size} {self.place.mark(item)}"

    def absolute(self) -> Self:
        return replace(self, place=self.place.absolute())

    def now(self, entry: Entry) -> Entry:
        return entry

    def files(self) -> Iterator[tuple[str, Item]]:
        """The files, sorted by name. Raises BadPool."""
        if self.only:
            return iter([(self.only, self.place.item(self.only))])
        return self.place.walk(lambda name: name.lower().endswith(self.suffix))
