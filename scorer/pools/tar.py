"""A pool in tar files, the layout of WebDataset: images are read without unpacking."""

import posixpath
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator

from scorer.errors import BadPool
from scorer.images.encoded import Encoded
from scorer.pools.packed import Packed
from scorer.pools.pool import Entry
from scorer.pools.walk import HIDDEN, Item, is_image, is_passed_over, tell


class Tars(Packed):
    """All tar files below a folder, or only the file `only`. A name is <tar file>/<member>."""

    suffix = ".tar"

    def entries(self) -> Iterator[Entry]:
        for path, item in self.files():
            yield from self._members(path, item)

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        tar, start = entry.location.rsplit(" ", 1)
        return self.place.read(tar, entry.size, int(start), stop=stop)

    def _members(self, path: str, item: Item) -> Iterator[Entry]:
        passed: Counter[str] = Counter()
        # of two members with one name the later counts, as in unpacking
        found: dict[str, Entry] = {}
        try:
            with self.place.open(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    inner = posixpath.normpath(member.name)
                    if not member.isreg() or not is_image(inner):
                        continue
                    if any(map(is_passed_over, inner.split("/"))):
                        passed[HIDDEN] += 1
                    else:
                        name, location = f"{path}/{inner}", f"{path} {member.offset_data}"
                        found[name] = Entry(name, location, member.size, self.mark(item))
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BadPool(
                f"cannot read the tar file {self.place.url}/{path}: {error}",
                remedy="use a complete tar file without compression: images are read inside it",
            ) from error
        tell(f"{self.place.url}/{path}", passed)
        yield from sorted(found.values())
