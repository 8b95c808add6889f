"""Reviews: shows again answers that a model trained without them contradicts."""

from typing import NamedTuple

from scorer.files import Watched
from scorer.labels import learned
from scorer.labels.answer import Answer
from scorer.labels.learned import Doubt
from scorer.labels.store import Store
from scorer.service.queue import Query, Queue

_AT_A_TIME = 5  # reviews on request
_APART = 10  # answers between two reviews without a request


class Look(NamedTuple):
    """An answer with its number in the store, and the doubt about it."""

    number: int
    answer: Answer
    doubt: Doubt


class SecondLooks:
    """The doubts that were not reviewed yet. graph, round_: of the model that asks."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._file = Watched(store.path.with_name(learned.DOUBTS), learned.read_doubts)
        self._store, self._queue = store, queue
        self._answers = 0  # since the last review

    def open(self) -> list[Look]:
        """The doubts whose answers are still current and unchanged."""
        found = []
        for doubt in self._file.value:
            standing = self._store.find(doubt.pixel)
            if standing and (standing[1].class_name, standing[1].reviews) == (doubt.given, None):
                found.append(Look(*standing, doubt))
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
        """Add reviews to an annotator's questions, before or after the others; returns their
        number.
        """
        found = [one for one in self.open() if not self._queue.is_open(one.doubt.pixel)][:count]
        for look in found:
            self._queue.reopen(_query(look, graph, round_), annotator, first=first)
        self._answers = 0
        return len(found)

    def after(self, query: Query, annotator: str, graph: str, round_: int) -> None:
        """After the last question about a photograph, add a review if one is due."""
        self._answers += 1
        is_time = self._answers >= _APART and not self._queue.asks_about(query.image)
        if is_time and query.reviews is None:
            self.ask(annotator, graph, round_, count=1, first=False)


def _query(look: Look, graph: str, round_: int) -> Query:
    answer, doubt = look.answer, look.doubt
    return Query(
        **answer.coordinates, rank=1, score=0.0, guess="", round=round_, graph=graph,
        guesses=(doubt.given, doubt.predicted), source=answer.source, reviews=look.number,
    )  # fmt: skip
