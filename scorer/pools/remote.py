"""A folder at a place that fsspec knows."""

from collections.abc import Iterator
from dataclasses import dataclass

from scorer.images import Source
from scorer.pools.collection import Entry
from scorer.pools.store import Store, check_size


@dataclass(frozen=True)
class Remote:
    """Searched recursively, by suffix, as a local folder is."""

    store: Store

    @property
    def where(self) -> str:
        return self.store.url

    def entries(self) -> Iterator[Entry]:
        for path, item in self.store.walk():
            yield Entry(path, "", item.size, item.mark)

    def read(self, entry: Entry) -> Source:
        check_size(entry.size)
        return self.store.read(entry.name)
