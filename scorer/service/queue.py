"""Which pixel is asked next, and of whom: no pixel is asked twice while somebody has it."""

import threading
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic

from scorer.rank import Ranked

LEASE_S = 120.0  # that a pixel is kept for who got it, from the last sign of life on

Place = tuple[str, int, int]  # image, row, col


@dataclass(frozen=True, kw_only=True)
class Query:
    """A pixel (row, col) of an image that somebody is asked for; guess: the model's class.

    Sizes in pixels: of the original image, and of the network's grid.
    """

    image: str
    row: int
    col: int
    rank: int
    score: float
    guess: str
    height: int
    width: int
    grid_height: int
    grid_width: int

    @property
    def place(self) -> Place:
        return self.image, self.row, self.col


@dataclass(order=True)
class _Image:
    """An image with its pixels that are still open, ordered by the score of its best."""

    worst_first: float
    name: str
    open: list[Query] = field(compare=False)


@dataclass
class _Lease:
    annotator: str
    until: float


class Queue:
    """All pixels of a ranking that nobody has answered, best image first; safe from any thread."""

    def __init__(
        self, answered: Iterable[Place] = (), clock: Callable[[], float] = monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._images: list[_Image] = []
        self._known: dict[Place, Query] = {}
        self._answered = set(answered)
        self._leases: dict[Place, _Lease] = {}

    def add(self, ranked: Ranked, classes: tuple[str, ...]) -> None:
        """The pixels that a model has chosen in an image."""
        height, width = ranked.geometry.image
        grid_height, grid_width = ranked.geometry.grid
        found = [
            Query(
                image=ranked.image, row=one.row, col=one.col, rank=one.rank, score=one.score,
                guess=classes[one.label], height=height, width=width,
                grid_height=grid_height, grid_width=grid_width,
            )
            for one in ranked.pixels
        ]  # fmt: skip
        with self._lock:
            self._known |= {query.place: query for query in found}
            left = [query for query in found if query.place not in self._answered]
            if left:
                insort(self._images, _Image(-left[0].score, ranked.image, left))

    def next(self, annotator: str, count: int) -> list[Query]:
        """Up to `count` pixels for an annotator, those first that they already have."""
        with self._lock:
            now = self._clock()
            mine = [place for place, lease in self._leases.items() if lease.annotator == annotator]
            found = [self._known[place] for place in mine][:count]
            for image in self._images:
                for query in image.open:
                    if len(found) >= count:
                        break
                    if query not in found and self._is_free(query.place, now):
                        found.append(query)
            for query in found:
                self._leases[query.place] = _Lease(annotator, now + LEASE_S)
            return found

    def find(self, place: Place) -> Query | None:
        """The query of a pixel, answered or not."""
        with self._lock:
            return self._known.get(place)

    def holds(self, place: Place, annotator: str) -> bool:
        """Whether this annotator may answer: nobody else has the pixel."""
        with self._lock:
            lease = self._leases.get(place)
            now = self._clock()
            return lease is None or lease.annotator == annotator or lease.until <= now

    def close(self, place: Place) -> None:
        """The pixel was answered."""
        with self._lock:
            self._answered.add(place)
            self._leases.pop(place, None)
            for index, image in enumerate(self._images):
                if image.name == place[0]:
                    image.open = [query for query in image.open if query.place != place]
                    if not image.open:
                        del self._images[index]
                    return

    def reopen(self, query: Query, annotator: str) -> None:
        """The answer was taken back: the pixel is asked again, of the same annotator."""
        place = query.place
        with self._lock:
            self._known[place] = query
            self._answered.discard(place)
            # First among their own, so that the page shows it at once.
            self._leases = {place: _Lease(annotator, self._clock() + LEASE_S)} | self._leases
            image = next((one for one in self._images if one.name == query.image), None)
            if image is None:
                insort(self._images, _Image(-query.score, query.image, [query]))
            elif query not in image.open:
                image.open.append(query)
                image.open.sort(key=lambda one: one.rank)

    def left(self) -> tuple[int, int]:
        """Pixels and images that are still open."""
        with self._lock:
            return sum(len(image.open) for image in self._images), len(self._images)

    def _is_free(self, place: Place, now: float) -> bool:
        lease = self._leases.get(place)
        return lease is None or lease.until <= now
