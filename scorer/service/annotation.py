"""What an annotator does, behind the page: asked pixels out, answers into the store."""

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.console import say
from scorer.errors import BadImage, BadInput
from scorer.images.photograph import load_full
from scorer.labels import Labels
from scorer.labels.answer import Answer
from scorer.labels.store import Store
from scorer.pools import Index
from scorer.runtimes.base import Runtime
from scorer.selection import overlay
from scorer.selection.exclusion import Exclusion
from scorer.selection.select import Ranked, check, chosen, prepare, rank, run
from scorer.service.queue import Query, Queue
from scorer.service.served import Served

_PICTURES = 16  # kept encoded
_LONGEST_JPEG = 65500


class Conflict(Exception):
    """Somebody else has the pixel, or has answered it."""


class Annotation:
    """A round of labelling: a pool, the graph that chooses, the store, who has which pixel.

    Raises BadInput for an n that the graph does not serve.
    """

    def __init__(
        self,
        pool: Index,
        served: Served,
        store: Store,
        *,
        n: int,
        distance: float | None,
        seed: int,
    ) -> None:
        check(served.runtime.contract, n=n, distance=distance, want_map=False)
        self.pool, _ = pool.confined()
        self.served, self.store = served, store
        self.n, self.distance, self.seed = n, distance, seed
        self.answers, self.started = 0, _now()  # answers since then
        self._answering = threading.Lock()
        self._where = str(Path(pool.where).absolute())  # marks of two pools differ
        self.queue = Queue()
        self._turn = threading.Lock()
        self._begin(list(store.standing()))
        self._pictures = lru_cache(_PICTURES)(self._photograph)
        self._seen = lru_cache(_PICTURES)(self._see)

    def _begin(self, standing: Sequence[Answer]) -> None:
        """A ranking of the whole pool, from its start."""
        self.ranked, self.skipped, self._nonnegative = 0, 0, 0.0
        self.failure: str | None = None
        graph = self.runtime.contract.sha256
        self.round = _round(standing, graph)
        self._stop = threading.Event()
        answered = Counter(
            one.image
            for one in standing
            if (one.round, one.graph) == (self.round, graph) and one.answer != "skip"
        )
        ranking = (self.runtime, self.round, answered, self._stop)
        self._thread = threading.Thread(
            target=self._rank, args=ranking, name="ranking", daemon=True
        )

    @property
    def runtime(self) -> Runtime:
        """The one of now."""
        return self.served.runtime

    def start(self) -> None:
        """Begin to rank, in the background."""
        self._thread.start()

    def reload(self) -> bool:
        """Take the graph's file anew; with another graph, what was not answered is ranked again."""
        with self._turn:
            standing = list(self.store.standing())  # what can fail comes first
            if not self.served.reload() and self.failure is None:
                return False
            self._stop.set()
            self._thread.join()
            self.queue.clear()
            self._begin(standing)
            self.start()
            say(f"round {self.round}: a new graph ranks the pool")
            return True

    def stop(self) -> None:
        with self._turn:
            self._stop.set()
            self._thread.join()
            self.store.close()

    @property
    def nonnegative(self) -> float | None:
        """Of the pixels ranked in this round, the share with BalEnt ≥ 0."""
        contract = self.runtime.contract
        is_known = contract.traits.zero_level is not None and contract.has_map and self.ranked
        return self._nonnegative / self.ranked if is_known else None

    @property
    def pool_ranked(self) -> bool:
        """Whether the whole pool is ranked."""
        return self.ranked + self.skipped == len(self.pool)

    def _rank(
        self, runtime: Runtime, number: int, answered: Mapping[str, int], stop: threading.Event
    ) -> None:
        """Ask for n pixels of every image, of which some were answered in this round before."""
        try:
            results = rank(
                runtime, self.pool, n=self.n, labels=self.store.labels(), seed=self.seed,
                distance=self.distance, want_map=runtime.contract.has_map,
            )  # fmt: skip
            for result in results:
                if stop.is_set():
                    return
                if isinstance(result, Ranked):
                    left = max(0, self.n - answered.get(result.image, 0))
                    self.queue.add(result.best(left), runtime.contract, number)
                    self.ranked += 1
                    self._nonnegative += result.nonnegative or 0.0
                else:
                    self.skipped += 1
        except Exception as error:  # told on the page and in /v1/state; labelling goes on
            self.failure = str(error)

    def answer(
        self, query: Query, *, answer: str, class_name: str | None, annotator: str,
        seconds: float, request: str,
    ) -> int:  # fmt: skip
        """Keep an answer; it is on the disk when this returns.

        The same request again is the same answer. Raises Conflict for a pixel of somebody else.
        """
        given = Answer(
            image=query.image, row=query.row, col=query.col, height=query.height,
            width=query.width, grid_height=query.grid_height, grid_width=query.grid_width,
            answer=answer, class_name=class_name, round=query.round, annotator=annotator,
            seconds=seconds, time=_now(), request=request, graph=query.graph,
        )  # fmt: skip
        with self._answering:
            wrong = self.queue.wrong(query.place, annotator)
            if wrong is not None and not self.store.knows(request):
                raise Conflict(wrong)
            number, is_new = self.store.add(given)
            if is_new:  # one that comes late, again, may have been taken back since
                self.answers += 1
                self.queue.close(query.place)
            return number

    def undo(self, annotator: str, request: str) -> tuple[Answer, Query | None] | None:
        """Take back the last answer of an annotator: what it was, and the pixel, which is asked
        again where its image is in this pool.
        """
        with self._answering:
            again = self.store.knows(request)
            taken = self.store.undo(annotator, time=_now(), request=request)
            if taken is None or taken.image not in self.pool:
                return None if taken is None else (taken, None)
            query = self.queue.find((taken.image, taken.row, taken.col)) or _asked(taken)
            if not again:  # it may have been answered since
                self.queue.reopen(query, annotator)
            return taken, query

    def mark(self, name: str) -> str:
        """What changes when an image does; BadInput for a name that is not in the pool."""
        if name not in self.pool:
            raise BadInput(f"{name!r} is not in the pool")
        entry = self.pool.now(self.pool.by_name[name])
        return hashlib.sha256(repr((self._where, *entry)).encode()).hexdigest()

    def photograph(self, name: str) -> bytes:
        """JPEG of an image, upright, at its own size."""
        return self._pictures(name, self.mark(name))

    def _photograph(self, name: str, _: str) -> bytes:
        picture = load_full(self.pool.image(name))
        if max(picture.size) > _LONGEST_JPEG:
            raise BadImage("too large", f"a side of {max(picture.size)} pixels cannot be shown")
        return overlay.encoded(picture, "JPEG", quality=92, subsampling=0)

    def map(self, name: str) -> bytes:
        """PNG of its uncertainty, in the proportions of the image."""
        seen = self._maps(name)
        assert seen.map is not None
        return overlay.encoded(overlay.colour_map(seen.geometry.whole(seen.map)), "PNG")

    def segmentation(self, name: str) -> bytes:
        """PNG of the model's classes in their colours, in the proportions of the image."""
        seen = self._maps(name)
        assert seen.segmentation is not None
        colours = np.array(self.runtime.contract.colours, np.uint8)
        classes = seen.geometry.whole(seen.segmentation)
        return overlay.encoded(Image.fromarray(colours[classes]), "PNG")

    def _maps(self, name: str) -> Ranked:
        """An image as the graph of now sees it, with its maps."""
        return self._seen(name, self.mark(name), self.runtime.contract.sha256)

    def _see(self, name: str, *_: str) -> Ranked:
        runtime, source = self.runtime, self.pool.image(name)
        check(runtime.contract, n=1, want_map=True)
        item = prepare(runtime.contract, source, name, Exclusion(Labels({})), n=1, seed=self.seed)
        return chosen(
            runtime.contract, item, run(runtime, [item], want_map=True), 0, n=1, distance=0
        )


def _round(standing: Sequence[Answer], graph: str) -> int:
    """That of the last pixels that a graph asked for, or the next if it was another graph."""
    last = next((one for one in reversed(standing) if one.graph), None)
    if last is not None and last.graph == graph:
        return last.round
    return 1 + max((one.round for one in standing), default=0)


def _asked(answer: Answer) -> Query:
    """What was answered before this service began, as a query; the model's guess is not known."""
    return Query(
        image=answer.image, row=answer.row, col=answer.col, rank=1, score=0.0,
        guess="", guesses=(), height=answer.height, width=answer.width,
        grid_height=answer.grid_height, grid_width=answer.grid_width, round=answer.round,
        graph=answer.graph,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
