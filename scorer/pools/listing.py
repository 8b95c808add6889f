"""A pool given by a list of paths and URLs, one per line."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scorer.errors import BadImage, BadPool, Failure, MissingDependency
from scorer.images.encoded import Encoded
from scorer.pools.folder import of_file
from scorer.pools.pool import Entry

_PATIENCE_S = 60.0  # for each host


@dataclass(frozen=True)
class Listing:
    """A list file. A name is a line: a path relative to the list's folder, or a URL; duplicates
    count once.

    Changes of images at URLs are not detected. A host that stays unreachable costs only its own
    images.
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

    def absolute(self) -> "Listing":
        return replace(self, file=self.file.absolute())

    def now(self, entry: Entry) -> Entry:
        return entry if "://" in entry.name else of_file(entry.name, self.file.parent / entry.name)

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        if "://" not in entry.name:
            return self.file.parent / entry.name
        from scorer.pools.files import Files  # noqa: PLC0415  # fsspec, for URLs only

        folder, _, name = entry.name.rpartition("/")
        try:
            return Files(folder, _PATIENCE_S).read(name, stop=stop)
        except (BadPool, ValueError, LookupError) as error:
            raise BadImage("not an address", str(error)) from error
        except (BadImage, MissingDependency):
            raise
        except Failure as error:  # one unreachable host of many
            raise BadImage("unreachable", str(error)) from error


def lines(path: Path) -> Iterator[str]:
    """Yield the paths of a list, without empty lines. Raises BadPool."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPool(
            f"cannot read the list {path}: {error}",
            remedy="a list is a UTF-8 text file with one path per line",
        ) from error
    for line in filter(None, map(str.strip, text.split("\n"))):
        yield line if "://" in line else Path(line).as_posix()
