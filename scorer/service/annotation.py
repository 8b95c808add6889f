"""What an annotator does, behind the page: asked pixels out, answers into the store."""

import json
from typing import Any

from scorer.errors import BadInput
from scorer.images.geometry import Geometry
from scorer.images.photograph import size
from scorer.images.place import Place
from scorer.labels.answer import FREE
from scorer.labels.store import Store
from scorer.pools import Index
from scorer.service.answers import Answers
from scorer.service.guesses import Guesses
from scorer.service.pictures import Pictures
from scorer.service.queue import Query
from scorer.service.rounds import Rounds
from scorer.service.served import Served

LOG = "live.jsonl"  # beside the store: a line for every model of a live session


class Annotation:
    """A pool, the graph that chooses, the store, who has which pixel.

    ahead: as of Rounds; with it the guesses of a model are offered only once they are better than
    chance. Links out of the pool are not followed. Raises BadInput for an n that the graph does not
    serve.
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
        ahead: int | None = None,
        audit: float = 0.0,
    ) -> None:
        self.pool, _ = pool.confined()
        self.served, self.store = served, store
        self.rounds = Rounds(
            self.pool,
            served,
            store,
            n=n,
            distance=distance,
            seed=seed,
            ahead=ahead,
            audit=audit,
        )
        self.queue = self.rounds.queue
        self._log = store.path.with_name(LOG)
        self.guesses = Guesses(trusted=ahead is None)
        self.answers = Answers(self.pool, self.queue, store, self.guesses)
        self.pictures = Pictures(self.pool, served, seed=seed)

    def free(self, image: str, row: int, col: int) -> Query:
        """A pixel that an annotator has chosen. Raises BadInput for one that is not in the pool,
        BadImage.
        """
        if image not in self.pool:
            raise BadInput(f"{image!r} is not in the pool")
        contract = self.rounds.runtime.contract
        geometry = Geometry(size(self.pool.image(image)), contract.grid)
        if not geometry.contains(row, col):
            raise BadInput(f"row {row}, col {col} is not in {image}")
        return Query(
            **Place.at(image, geometry, row, col).coordinates, rank=1, score=0.0, guess="",
            guesses=(), round=self.rounds.number, graph=contract.sha256, source=FREE,
        )  # fmt: skip

    def learned(self) -> dict[str, Any] | None:
        """What the process that learns says of its newest model, where there is one."""
        try:
            last = self._log.read_text("utf-8").splitlines()[-1]
            found: dict[str, Any] = json.loads(last)
        except (OSError, ValueError, IndexError):
            return None
        return found

    def start(self) -> None:
        """Begin to rank, in the background."""
        self.rounds.start()

    def stop(self) -> None:
        """End the ranking, and close the store."""
        self.rounds.stop()
        self.store.close()
