"""A pool in a folder at any place that fsspec supports."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scorer.images.encoded import Encoded
from scorer.pools.files import Files
from scorer.pools.pool import Entry


@dataclass(frozen=True)
class Remote:
    """A remote folder, searched recursively for image suffixes, as a local one."""

    place: Files

    @property
    def where(self) -> str:
        return self.place.url

    def entries(self) -> Iterator[Entry]:
        for path, item in self.place.walk():
            yield Entry(path, "", item.size, self.place.mark(item))

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        return self.place.read(entry.name, entry.size, stop=stop)

    def absolute(self) -> "Remote":
        return replace(self, place=self.place.absolute())

    def now(self, entry: Entry) -> Entry:
        return entry
