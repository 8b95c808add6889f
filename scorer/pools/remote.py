"""A folder at a place that fsspec knows."""

from collections.abc import Iterator
from dataclasses import dataclass

from scorer.images.photograph import Source
from scorer.pools.collection import Entry
from scorer.pools.files import Store


@dataclass(frozen=True)
class Remote:
    """Searched recursively, by suffix, as a local folder is."""

    store: Store

    @property
    def where(self) -> str:
        return self.store.url

    def entries(self) -> Iterator[Entry]:
        for path, item in self.store.walk():
            yield Entry(path, "", item.size, self.store.mark(item))

    def read(self, entry: Entry) -> Source:
        return self.store.read(entry.name, entry.size)
