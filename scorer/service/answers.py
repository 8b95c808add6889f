"""Stores and retracts annotators' answers."""

import threading
from datetime import UTC, datetime

from scorer.labels.answer import FREE, Answer
from scorer.labels.store import Store
from scorer.pools import Index
from scorer.service.guesses import Guesses
from scorer.service.queue import Query, Queue


class Conflict(Exception):
    """The pixel is reserved for another annotator, or answered."""


class Answers:
    """Answers to the questions of a queue. count: since the time `started`, ISO 8601."""

    def __init__(self, pool: Index, queue: Queue, store: Store, guesses: Guesses) -> None:
        self._pool, self._queue, self._store, self._guesses = pool, queue, store, guesses
        self.count, self.started = 0, _now()
        self._answering = threading.Lock()

    def add(
        self, query: Query, *, answer: str, class_name: str | None, annotator: str,
        seconds: float, request: str,
    ) -> int:  # fmt: skip
        """Store an answer; it is on the disk when this returns.

        A repeated request is stored once. Raises Conflict for a pixel that another annotator has.
        """
        given = Answer(
            **query.coordinates, answer=answer, class_name=class_name, round=query.round,
            annotator=annotator, seconds=seconds, time=_now(), request=request, graph=query.graph,
            source=query.source, guess=query.guess, reviews=query.reviews,
        )  # fmt: skip
        with self._answering:
            wrong = self._queue.wrong(query.pixel, annotator)
            is_again = query.reviews is not None
            if query.source == FREE and not is_again and self._store.find(query.pixel):
                wrong = "this pixel is answered"
            if wrong is not None and not self._store.knows(request):
                raise Conflict(wrong)
            number, is_new = self._store.add(given)
            if is_new:  # a late repetition may have been retracted since
                self.count += 1
                self._queue.close(query.pixel)
                self._guesses.note(query, class_name)
            return number

    def undo(self, annotator: str, request: str) -> tuple[Answer, Query | None] | None:
        """Retract the last answer of an annotator; returns it with the question, which is asked
        again if its image is in this pool.
        """
        with self._answering:
            again = self._store.knows(request)
            taken = self._store.undo(annotator, time=_now(), request=request)
            if taken is not None and not again:
                self._guesses.forget(taken.pixel)
            if taken is None or taken.image not in self._pool:
                return None if taken is None else (taken, None)
            if taken.source == FREE or taken.reviews is not None:  # the graph had not asked for it
                self._queue.forget(taken.pixel)
                return taken, None
            query = self._queue.find(taken.pixel)
            # the current question is a review, not the original one
            if query is None or query.reviews is not None:
                query = _asked(taken)
            if not again:  # on repetition, it may have been answered since
                self._queue.reopen(query, annotator)
            return taken, query


def _asked(answer: Answer) -> Query:
    """The question of an answer from before this service started; the model's guess is unknown."""
    return Query(
        **answer.coordinates, rank=1, score=0.0, guess="", guesses=(), round=answer.round,
        graph=answer.graph, source=answer.source,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
