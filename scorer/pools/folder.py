"""A folder of this machine, or of a file system that it has mounted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadPool
from scorer.images.photograph import Source
from scorer.pools.collection import Entry
from scorer.pools.walk import Item, walk


@dataclass(frozen=True)
class Folder:
    """Searched recursively, by suffix; hidden files and folders are passed over, links to folders
    are not followed. A name is the path below `root`, with forward slashes.
    """

    root: Path

    @property
    def where(self) -> str:
        return str(self.root)

    def entries(self) -> Iterator[Entry]:
        for name in self.names():
            yield of_file(name, self.root / name)

    def names(self) -> Iterator[str]:
        for name, _ in walk(self._items):
            yield name

    def read(self, entry: Entry) -> Source:
        return self.root / entry.name

    def _items(self, below: str) -> Iterator[Item]:
        folder = self.root / below
        try:
            with os.scandir(folder) as found:
                for one in found:
                    is_link = one.is_symlink()
                    if not is_link or not Path(one.path).is_dir():
                        yield Item(one.name, is_folder=not is_link and one.is_dir())
        except OSError as error:
            raise BadPool(
                f"cannot read the folder {folder}: {error.strerror}",
                remedy="give --pool a folder that you may read",
            ) from error


def of_file(name: str, path: Path, location: str = "") -> Entry:
    """Size and times: what changes when a file does, or the right to read it."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Entry(name, location, -1, "")  # whoever reads it says why
    return Entry(name, location, status.st_size, f"{status.st_mtime_ns} {status.st_ctime_ns}")
