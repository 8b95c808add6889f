"""Files that hold many images each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from scorer.pools.files import Store
from scorer.pools.walk import Item


@dataclass(frozen=True)
class Packed:
    """All files of a kind below a folder, or the one called `only`."""

    suffix: ClassVar[str]
    store: Store
    only: str = ""

    @property
    def where(self) -> str:
        return f"{self.store.url}/{self.only}" if self.only else self.store.url

    def mark(self, item: Item) -> str:
        """Of every image in a file: another file has others."""
        return f"{item.size} {self.store.mark(item)}"

    def files(self) -> Iterator[tuple[str, Item]]:
        """In order. Raises BadPool."""
        if self.only:
            return iter([(self.only, self.store.item(self.only))])
        return self.store.walk(lambda name: name.lower().endswith(self.suffix))
