"""Answers that are shown again, because a model contradicts them which was fitted without them."""

import threading

from scorer.labels import learned
from scorer.labels.learned import Doubt
from scorer.labels.store import Store
from scorer.service.queue import Query, Queue

_AT_A_TIME = 5  # on request
_APART = 10  # answers between two that are shown without a request


class SecondLooks:
    """The doubts that nobody has looked at. graph, round_: of the model that asks."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._path = store.path.with_name(learned.DOUBTS)
        self._store, self._queue = store, queue
        self._lock = threading.Lock()
        self._mark = -1
        self._doubts: list[Doubt] = []
        self._answers = 0  # since the last one that was shown

    def open(self) -> list[tuple[int, Doubt]]:
        """Those whose answer still stands as it was given, with the number of that answer."""
        found = []
        for doubt in self._read():
            standing = self._store.find(doubt.pixel)
            if standing and (standing[1].class_name, standing[1].reviews) == (doubt.given, None):
                found.append((standing[0], doubt))
        return found

    def ask(
        self,
        annotator: str,
        graph: str,
        round_: int,
        *,
        count: int = _AT_A_TIME,
        first: bool = True,
    ) -> int:
        """Put some among an annotator's questions, before the others or behind them; how many."""
        found = [one for one in self.open() if not self._queue.is_open(one[1].pixel)][:count]
        for number, doubt in found:
            self._queue.reopen(self._query(number, doubt, graph, round_), annotator, first=first)
        self._answers = 0
        return len(found)

    def after(self, query: Query, annotator: str, graph: str, round_: int) -> None:
        """At the end of a photograph, now and then, one is put among an annotator's questions."""
        self._answers += 1
        is_time = self._answers >= _APART and not self._queue.asks_about(query.image)
        if is_time and query.reviews is None:
            self.ask(annotator, graph, round_, count=1, first=False)

    def _query(self, number: int, doubt: Doubt, graph: str, round_: int) -> Query:
        found = self._store.find(doubt.pixel)
        assert found is not None
        return Query(
            **found[1].coordinates, rank=1, score=0.0, guess="", round=round_, graph=graph,
            guesses=(doubt.given, doubt.predicted), source=found[1].source, reviews=number,
        )  # fmt: skip

    def _read(self) -> list[Doubt]:
        try:
            mark = self._path.stat().st_mtime_ns
        except OSError:
            return []
        with self._lock:
            if mark != self._mark:
                self._doubts, self._mark = learned.read_doubts(self._path), mark
            return self._doubts
