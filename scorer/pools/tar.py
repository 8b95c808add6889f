"""Images in tar files, the layout of WebDataset: read where they lie, without unpacking."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from scorer.errors import BadImage, BadPool
from scorer.images import Source
from scorer.pools.collection import Entry
from scorer.pools.store import MOST_BYTES, Store
from scorer.pools.walk import Item, is_image

SUFFIX = ".tar"


@dataclass(frozen=True)
class Tars:
    """All tar files below a folder, or the one called `only`. A name is <tar file>/<member>."""

    store: Store
    only: str = ""

    @property
    def where(self) -> str:
        return f"{self.store.url}/{self.only}" if self.only else self.store.url

    def entries(self) -> Iterator[Entry]:
        for path, item in self._files():
            yield from self._members(path, item)

    def read(self, entry: Entry) -> Source:
        tar, start = entry.location.rsplit(" ", 1)
        if entry.size > MOST_BYTES:
            raise BadImage("too large", f"{entry.size} bytes, the limit is {MOST_BYTES}")
        return self.store.read(tar, int(start), int(start) + entry.size)

    def _files(self) -> Iterator[tuple[str, Item]]:
        if self.only:
            return iter([(self.only, self.store.item(self.only))])
        return self.store.walk(lambda name: name.lower().endswith(SUFFIX))

    def _members(self, path: str, item: Item) -> Iterator[Entry]:
        found: dict[str, Entry] = {}  # of two with one name the later counts, as in unpacking
        try:
            with self.store.open(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    name = f"{path}/{member.name}"
                    if member.isreg() and is_image(member.name):
                        location = f"{path} {member.offset_data}"
                        mark = f"{item.size} {item.mark}"
                        found[name] = Entry(name, location, member.size, mark)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BadPool(
                f"cannot read the tar file {self.store.url}/{path}: {error}",
                remedy="it must be whole and not compressed: images are read where they lie in it",
            ) from error
        yield from sorted(found.values())
