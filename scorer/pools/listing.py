"""A list of paths and URLs, one per line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.images import Source
from scorer.pool import lines
from scorer.pools.collection import Entry
from scorer.pools.folder import of_file
from scorer.pools.store import MOST_BYTES, Store


@dataclass(frozen=True)
class Listing:
    """A name is a line: a path from the folder of the list, or a URL. Repeated ones count once.

    Whether the image at a URL has changed is not looked at.
    """

    file: Path

    @property
    def where(self) -> str:
        return str(self.file)

    def entries(self) -> Iterator[Entry]:
        for name in sorted(set(lines(self.file))):
            if "://" in name:
                yield Entry(name, "", -1, "")
            else:
                yield of_file(name, self.file.parent / name)

    def read(self, entry: Entry) -> Source:
        if "://" not in entry.name:
            return self.file.parent / entry.name
        folder, _, name = entry.name.rpartition("/")
        return Store(folder).read(name, 0, MOST_BYTES)
