"""What an annotator does, behind the page: asked pixels out, answers into the store."""

from scorer.labels.store import Store
from scorer.pools import Index
from scorer.service.answers import Answers
from scorer.service.guesses import Guesses
from scorer.service.pictures import Pictures
from scorer.service.rounds import Rounds
from scorer.service.served import Served


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
        self.guesses = Guesses(trusted=ahead is None)
        self.answers = Answers(self.pool, self.queue, store, self.guesses)
        self.pictures = Pictures(self.pool, served, seed=seed)

    def start(self) -> None:
        """Begin to rank, in the background."""
        self.rounds.start()

    def stop(self) -> None:
        """End the ranking, and close the store."""
        self.rounds.stop()
        self.store.close()
