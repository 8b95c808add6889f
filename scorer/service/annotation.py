"""What an annotator does, behind the page: asked pixels out, answers into the store."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from scorer import overlay
from scorer.errors import BadImage, BadInput
from scorer.exclusion import Exclusion
from scorer.images import load_full
from scorer.labels import Labels
from scorer.labels.store import Answer, Store
from scorer.pool import Pool
from scorer.rank import Ranked, check, chosen, prepare, rank, run
from scorer.runtime import Runtime
from scorer.service.queue import Query, Queue
from scorer.service.served import Served

_PICTURES = 16  # kept encoded


class Annotation:
    """A round of labelling: a pool, the graph that chooses, the store, who has which pixel."""

    def __init__(
        self, pool: Pool, served: Served, store: Store, *, n: int, distance: float, seed: int
    ) -> None:
        self.pool, self.served, self.store = pool, served, store
        self.n, self.distance, self.seed = n, distance, seed
        self.answers = 0  # since the start
        self._names = frozenset(pool.names)
        self.queue = Queue()
        self._turn = threading.Lock()
        self._begin(list(store.standing()))
        self.photograph = lru_cache(_PICTURES)(self._photograph)
        self._seen = lru_cache(_PICTURES)(self._see)

    def _begin(self, standing: Sequence[Answer]) -> None:
        """A ranking of the whole pool, from its start."""
        self.ranked, self.skipped = 0, 0
        self.failure: str | None = None
        self.round = _round(standing, self.runtime.contract.sha256)
        self._stop = threading.Event()
        ranking = (self.runtime, self.round, self._stop)
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
            return True

    def stop(self) -> None:
        with self._turn:
            self._stop.set()
            self._thread.join()
            self.store.close()

    @property
    def done(self) -> bool:
        """Whether the whole pool is ranked."""
        return self.ranked + self.skipped == len(self.pool)

    def _rank(self, runtime: Runtime, number: int, stop: threading.Event) -> None:
        try:
            results = rank(
                runtime, self.pool, n=self.n, labels=self.store.labels(), seed=self.seed,
                distance=self.distance, want_map=runtime.contract.has_map,
            )  # fmt: skip
            for result in results:
                if stop.is_set():
                    return
                if isinstance(result, Ranked):
                    self.queue.add(result, runtime.contract, number)
                    self.ranked += 1
                else:
                    self.skipped += 1
        except Exception as error:  # told on the page and in /v1/state; labelling goes on
            self.failure = str(error)

    def answer(
        self, query: Query, *, answer: str, class_name: str | None, annotator: str,
        seconds: float, request: str,
    ) -> int:  # fmt: skip
        """Keep an answer; it is on the disk when this returns."""
        number, is_new = self.store.add(
            Answer(
                image=query.image, row=query.row, col=query.col, height=query.height,
                width=query.width, grid_height=query.grid_height, grid_width=query.grid_width,
                answer=answer, class_name=class_name, round=query.round, annotator=annotator,
                seconds=seconds, time=_now(), request=request, graph=query.graph,
            )
        )  # fmt: skip
        if is_new:  # one that comes late, again, may have been taken back since
            self.answers += 1
            self.queue.close(query.place)
        return number

    def undo(self, annotator: str, request: str) -> Query | None:
        """Take back the last answer of an annotator; the pixel is asked again."""
        taken = self.store.undo(annotator, time=_now(), request=request)
        if taken is None:
            return None
        query = self.queue.find((taken.image, taken.row, taken.col)) or _asked(taken)
        self.queue.reopen(query, annotator)
        return query

    def path(self, name: str) -> Path:
        """The file of an image of the pool; BadInput for other names, and links out of it."""
        if name not in self._names:
            raise BadInput(f"{name!r} is not in the pool")
        path = self.pool.path(name)
        if self.pool.searched and not path.resolve().is_relative_to(self.pool.root.resolve()):
            raise BadInput(f"{name!r} is not in the pool")
        return path

    def _photograph(self, name: str) -> bytes:
        """JPEG of an image, upright, at its own size."""
        return overlay.encoded(load_full(self.path(name)), "JPEG", quality=92)

    def map(self, name: str) -> bytes:
        """PNG of its uncertainty, at the size of the map."""
        values = self._maps(name).map
        assert values is not None
        return overlay.encoded(overlay.colour_map(values), "PNG")

    def segmentation(self, name: str) -> bytes:
        """PNG of the model's classes in their colours, at the size of the map."""
        labels = self._maps(name).segmentation
        assert labels is not None
        colours = np.array(self.runtime.contract.colours, np.uint8)
        return overlay.encoded(Image.fromarray(colours[labels]), "PNG")

    def _maps(self, name: str) -> Ranked:
        """An image as the graph of now sees it, with its maps."""
        return self._seen(name, self.runtime.contract.sha256)

    def _see(self, name: str, _: str) -> Ranked:
        runtime, path = self.runtime, self.path(name)
        check(runtime.contract, n=1, want_map=True)
        item = prepare(runtime.contract, path, name, Exclusion(Labels({})), n=1, seed=self.seed)
        return chosen(runtime, item, run(runtime, [item], want_map=True), 0, n=1, distance=0)


def _round(standing: Sequence[Answer], graph: str) -> int:
    """That of the last answers, or the next if another graph chose those."""
    if not standing:
        return 1
    last = standing[-1]
    return last.round + (last.graph != graph)


def _asked(answer: Answer) -> Query:
    """What was answered before this service began, as a query; the model's guess is not known."""
    return Query(
        image=answer.image, row=answer.row, col=answer.col, rank=1, score=0.0,
        guess=answer.class_name or "",
        guesses=() if answer.class_name is None else (answer.class_name,),
        height=answer.height, width=answer.width,
        grid_height=answer.grid_height, grid_width=answer.grid_width, round=answer.round,
        graph=answer.graph,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


Reader = Callable[[str], bytes]


def read_picture(reader: Reader, name: str) -> bytes | None:
    """A picture, or None where the image is not (or no longer) there."""
    try:
        return reader(name)
    except (BadImage, BadInput):
        return None
