"""A list of paths and URLs, one per line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadImage, BadPool, Failure, MissingDependency
from scorer.images.photograph import Source
from scorer.pool import lines
from scorer.pools.collection import Entry
from scorer.pools.files import Store
from scorer.pools.folder import of_file

_PATIENCE_S = 60.0  # with a host


@dataclass(frozen=True)
class Listing:
    """A name is a line: a path from the folder of the list, or a URL. Repeated ones count once.

    Whether the image at a URL has changed is not looked at. A host that stays away costs no more
    than its images.
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
        try:
            return Store(folder, _PATIENCE_S).read(name)
        except (BadPool, ValueError, LookupError) as error:
            raise BadImage("not an address", str(error)) from error
        except (BadImage, MissingDependency):
            raise
        except Failure as error:  # of one host of many
            raise BadImage("unreachable", str(error)) from error
