"""A pool in a folder of this machine, or of a mounted file system."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scorer.errors import BadImage, BadPool
from scorer.images.encoded import Encoded
from scorer.pools.pool import Entry
from scorer.pools.walk import Item, telling, walk


@dataclass(frozen=True)
class Folder:
    """A folder, searched recursively for image suffixes; hidden and system files are ignored, and
    links to folders are not followed.

    A name is the path below `root`, with forward slashes. confined: whether files that are links
    out of the folder are rejected, too.
    """

    root: Path
    confined: bool = False

    @property
    def where(self) -> str:
        return str(self.root)

    def entries(self) -> Iterator[Entry]:
        return (self.entry(name) for name, _ in telling(self._items, self.where))

    def names(self) -> Iterator[str]:
        for name, _ in walk(self._items):
            yield name

    def entry(self, name: str) -> Entry:
        """The entry of a file, which may not exist."""
        return of_file(name, self.root / name)

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:  # noqa: ARG002
        if self.confined and not self.holds(entry.name):
            raise BadImage("outside the pool", "it is a link out of the folder")
        return self.root / entry.name

    def absolute(self) -> "Folder":
        return replace(self, root=self.root.absolute())

    def now(self, entry: Entry) -> Entry:
        return self.entry(entry.name)

    def holds(self, name: str) -> bool:
        """Whether the file is in the folder, after following links."""
        return is_below(self.root / name, self.root)

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


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder, after following links."""
    return real(path).is_relative_to(real(folder))


def real(path: Path) -> Path:
    """The path with links followed; unlike Path.resolve(), it accepts a link to itself."""
    return Path(os.path.realpath(path))


def of_file(name: str, path: Path, location: str = "") -> Entry:
    """The entry of a file; its mark is made of size and times, which change with content and
    permissions.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Entry(name, location, -1, "")  # the reason is found when it is read
    return Entry(name, location, status.st_size, f"{status.st_mtime_ns} {status.st_ctime_ns}")
