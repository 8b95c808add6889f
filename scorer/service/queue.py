"""The queue of questions, which reserves a pixel for one annotator at a time."""

import threading
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic

import numpy as np

from scorer.contract import Contract
from scorer.images.place import Place
from scorer.labels.answer import ASKED
from scorer.runtimes.blank import is_blank
from scorer.selection.result import Pixel, Ranked

_GUESSES = 4  # one per number key
_NEAR = 8  # radius in map pixels within which other classes are guessed
LEASE_S = 120.0  # how long a pixel is reserved after the last request of its annotator

Key = tuple[str, int, int]  # image, row, col: Place.pixel


@dataclass(frozen=True, kw_only=True)
class Query(Place):
    """A question about a pixel.

    guess: the predicted class; guesses: this, and classes predicted nearby, most frequent first.
    graph: hash of the graph that chose the pixel, in this round. source, reviews: see Answer; in a
    review, guesses are the earlier answer, and the model's class.
    """

    rank: int
    score: float
    guess: str
    guesses: tuple[str, ...]
    round: int
    graph: str
    source: str = ASKED
    reviews: int | None = None


@dataclass(order=True)
class _Image:
    """An image with its open pixels, ordered by its best score."""

    worst_first: float
    name: str
    open: list[Query] = field(compare=False)


@dataclass
class _Lease:
    annotator: str
    until: float


def _guesses(ranked: Ranked, pixel: Pixel, contract: Contract) -> tuple[str, ...]:
    """The predicted class, and those of neighbouring pixels, as models are uncertain where classes
    meet; none without a model.
    """
    if is_blank(contract):
        return ()
    labels = [pixel.label]
    if ranked.segmentation is not None:
        row, col = ranked.geometry.to_map(pixel.row, pixel.col)
        top, left = max(0, row - _NEAR), max(0, col - _NEAR)
        near = ranked.segmentation[top : row + _NEAR + 1, left : col + _NEAR + 1]
        found, counts = np.unique(near, return_counts=True)
        labels += [int(one) for one in found[np.argsort(-counts, kind="stable")]]
    return tuple(contract.classes[one] for one in list(dict.fromkeys(labels))[:_GUESSES])


class Queue:
    """All open pixels of a ranking, best image first; thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._images: dict[str, _Image] = {}  # images with open pixels
        self._order: list[_Image] = []  # the same images, best first
        self._known: dict[Key, Query] = {}
        self._leases: dict[Key, _Lease] = {}
        self._closed: set[Key] = set()  # answered in this process

    def add(self, ranked: Ranked, contract: Contract, number: int, source: str = ASKED) -> None:
        """Add the pixels that a graph has chosen in an image, in round `number`."""
        found = [
            Query(
                **ranked.place(one).coordinates, rank=one.rank, score=one.score,
                guess=guesses[0] if guesses else "", guesses=guesses,
                round=number, graph=contract.sha256, source=source,
            )
            for one in ranked.pixels
            for guesses in (_guesses(ranked, one, contract),)
        ]  # fmt: skip
        with self._lock:
            self._known |= {query.pixel: query for query in found}
            if still := [query for query in found if query.pixel not in self._closed]:
                self._put(still)

    def clear(self) -> None:
        """Remove all questions; those displayed to annotators can still be answered.

        Of an annotator's reserved pixels, only the first and reviews stay reserved: the others may
        be added again.
        """
        with self._lock:
            self._images.clear()
            self._order.clear()
            first: dict[str, Key] = {}
            for pixel, lease in self._leases.items():
                first.setdefault(lease.annotator, pixel)
            kept = {*first.values(), *(p for p in self._leases if self._known[p].reviews)}
            self._leases = {pixel: one for pixel, one in self._leases.items() if pixel in kept}

    def next(self, annotator: str, count: int) -> list[Query]:
        """Up to `count` pixels for an annotator, beginning with those already reserved for them."""
        with self._lock:
            now = self._clock()
            mine = [pixel for pixel, lease in self._leases.items() if lease.annotator == annotator]
            found = [self._known[pixel] for pixel in mine][:count]
            free = (
                query
                for image in self._order
                for query in image.open
                if query.pixel not in mine and self._is_free(query.pixel, now)
            )
            found += islice(free, count - len(found))
            for query in found:
                self._leases[query.pixel] = _Lease(annotator, now + LEASE_S)
            return found

    def find(self, pixel: Key) -> Query | None:
        """The question about a pixel, answered or not; None without one."""
        with self._lock:
            return self._known.get(pixel)

    def wrong(self, pixel: Key, annotator: str) -> str | None:
        """Why this annotator may not answer a pixel; None if they may."""
        with self._lock:
            if pixel in self._closed:
                return "this pixel is answered"
            lease = self._leases.get(pixel)
            if lease is None or lease.annotator == annotator or lease.until <= self._clock():
                return None
            return "somebody else has this pixel now"

    def close(self, pixel: Key) -> None:
        """Mark a pixel as answered."""
        with self._lock:
            self._leases.pop(pixel, None)
            self._closed.add(pixel)
            if image := self._images.get(pixel[0]):
                image.open = [query for query in image.open if query.pixel != pixel]
                if not image.open:
                    self._take(image)

    def reopen(self, query: Query, annotator: str, *, first: bool = True) -> None:
        """Ask again about an answered pixel, and reserve it for one annotator: before their other
        pixels, so that the page shows it next, or after them.
        """
        pixel = query.pixel
        with self._lock:
            self._known[pixel] = query
            self._closed.discard(pixel)
            before = {one: lease for one, lease in self._leases.items() if one != pixel}
            lease = {pixel: _Lease(annotator, self._clock() + LEASE_S)}
            self._leases = lease | before if first else before | lease
            self._put([query])

    def is_open(self, pixel: Key) -> bool:
        """Whether a pixel is in the queue or reserved."""
        with self._lock:
            image = self._images.get(pixel[0])
            asked = image is not None and any(one.pixel == pixel for one in image.open)
            return asked or not self._is_free(pixel, self._clock())

    def asks_about(self, image: str) -> bool:
        """Whether a pixel of an image is in the queue."""
        with self._lock:
            return image in self._images

    def forget(self, pixel: Key) -> None:
        """Allow a question about a pixel again, after an answer without a question was
        retracted.
        """
        with self._lock:
            self._closed.discard(pixel)

    def free(self) -> int:
        """Number of open pixels that are not reserved."""
        with self._lock:
            now = self._clock()
            return sum(self._is_free(one.pixel, now) for image in self._order for one in image.open)

    def waits_for(self, source: str) -> bool:
        """Whether a question with this source is open."""
        with self._lock:
            return any(query.source == source for one in self._order for query in one.open)

    def left(self) -> tuple[int, int]:
        """Number of open pixels, and of images with any."""
        with self._lock:
            return sum(len(image.open) for image in self._order), len(self._order)

    def _put(self, queries: list[Query]) -> None:
        """Open pixels of one image, in addition to its open ones."""
        before = self._images.get(queries[0].image)
        if before is not None:
            self._take(before)
            pixels = {query.pixel for query in queries}
            queries = queries + [query for query in before.open if query.pixel not in pixels]
        worst_first = -max(query.score for query in queries)
        opened = sorted(queries, key=lambda one: one.rank)
        image = self._images[queries[0].image] = _Image(worst_first, queries[0].image, opened)
        insort(self._order, image)

    def _take(self, image: _Image) -> None:
        del self._images[image.name]
        del self._order[bisect_left(self._order, image)]

    def _is_free(self, pixel: Key, now: float) -> bool:
        lease = self._leases.get(pixel)
        return lease is None or lease.until <= now
