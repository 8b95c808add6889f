"""Pools whose address states how samples are read: PLACE#bit-depth=12#bands=4,3,2."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scorer.errors import BadPool
from scorer.images.depth import MOST
from scorer.images.encoded import AS_STORED, Encoded, Reading, declared, parts
from scorer.pools.pool import Entry, Pool

LEAST = 9  # bits
_ADDRESS = re.compile(r"(.+)#(bit-depth|bands)=([^#/]*)", re.DOTALL)
_BANDS = re.compile(r"([1-9][0-9]{0,3}),([1-9][0-9]{0,3}),([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class DeclaredPool:
    """A pool with statements about the samples of its images, which become part of their marks."""

    pool: Pool
    reading: Reading

    @property
    def where(self) -> str:
        return address(self.pool.where, self.reading)

    def entries(self) -> Iterator[Entry]:
        return map(self._marked, self.pool.entries())

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        content, _ = parts(self.pool.read(entry, stop))
        return declared(content, self.reading)

    def absolute(self) -> "DeclaredPool":
        return replace(self, pool=self.pool.absolute())

    def now(self, entry: Entry) -> Entry:
        mark = entry.mark.removesuffix(self._mark)
        return self._marked(self.pool.now(entry._replace(mark=mark)))

    def _marked(self, entry: Entry) -> Entry:
        return entry._replace(mark=entry.mark + self._mark)

    @property
    def _mark(self) -> str:
        return address("", self.reading)


def address(where: str, reading: Reading) -> str:
    """The address of a pool, extended by `reading`."""
    depth = "" if reading.bit_depth is None else f"#bit-depth={reading.bit_depth}"
    bands = "" if reading.bands is None else f"#bands={','.join(map(str, reading.bands))}"
    return where + depth + bands


def parted(where: str) -> tuple[str, Reading]:
    """Split an address into the place and the statements about its images. Raises BadPool."""
    reading = AS_STORED
    while (found := _ADDRESS.fullmatch(where)) is not None:
        where, key, value = found.groups()
        if key == "bands":
            reading = replace(reading, bands=bands_of(value))
        else:
            reading = replace(reading, bit_depth=_depth_of(value))
    return where, reading


def bands_of(text: str) -> tuple[int, int, int]:
    """Parse the numbers of the red, green and blue band, such as 4,3,2. Raises BadPool."""
    found = _BANDS.fullmatch(text)
    if found is None:
        raise BadPool(
            f"bands are {text!r}", remedy="write the numbers of red, green and blue, as in 4,3,2"
        )
    red, green, blue = map(int, found.groups())
    return red, green, blue


def _depth_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and LEAST <= int(text) <= MOST):
        raise BadPool(
            f"a bit depth of {text!r}",
            remedy=f"samples of more than eight bits hold {LEAST} to {MOST}",
        )
    return int(text)
