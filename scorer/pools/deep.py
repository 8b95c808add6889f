"""A pool of images with 9 to 16 bits in their samples, as somebody says: PLACE#bit-depth=12."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scorer.errors import BadPool
from scorer.images.depth import MOST
from scorer.images.encoded import Declared, Encoded, parts
from scorer.pools.pool import Entry, Pool

LEAST = 9  # bits
_WORD = "#bit-depth="
_ADDRESS = re.compile(rf"(.+){_WORD}(.*)", re.DOTALL)


@dataclass(frozen=True)
class Deep:
    """What another pool holds; whatever depends on an image depends on its bits too."""

    pool: Pool
    bit_depth: int

    @property
    def where(self) -> str:
        return address(self.pool.where, self.bit_depth)

    def entries(self) -> Iterator[Entry]:
        return map(self._marked, self.pool.entries())

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        content, _ = parts(self.pool.read(entry, stop))
        return Declared(content, self.bit_depth)

    def absolute(self) -> "Deep":
        return replace(self, pool=self.pool.absolute())

    def now(self, entry: Entry) -> Entry:
        mark = entry.mark.removesuffix(self._mark)
        return self._marked(self.pool.now(entry._replace(mark=mark)))

    def _marked(self, entry: Entry) -> Entry:
        return entry._replace(mark=entry.mark + self._mark)

    @property
    def _mark(self) -> str:
        return f"{_WORD}{self.bit_depth}"


def address(where: str, bit_depth: int | None) -> str:
    """Of a pool in a place, for whoever opens it."""
    return where if bit_depth is None else f"{where}{_WORD}{bit_depth}"


def parted(where: str) -> tuple[str, int | None]:
    """The place, and the bits that its address says. Raises BadPool."""
    found = _ADDRESS.fullmatch(where)
    if found is None:
        return where, None
    if not (found[2].isascii() and found[2].isdigit() and LEAST <= int(found[2]) <= MOST):
        raise BadPool(
            f"{where}: a bit depth of {found[2]!r}",
            remedy=f"samples of more than eight bits hold {LEAST} to {MOST}",
        )
    return found[1], int(found[2])
