"""The state behind the annotation page: pool, graph, questions, and the label store."""

from scorer.errors import BadInput
from scorer.images.colours import Colour, default_colours
from scorer.images.geometry import Geometry
from scorer.images.photograph import size
from scorer.images.place import Place
from scorer.labels import learned
from scorer.labels.answer import FREE
from scorer.labels.store import Store
from scorer.pools import Index
from scorer.service.answers import Answers
from scorer.service.guesses import Guesses
from scorer.service.pictures import Pictures
from scorer.service.progress import Progress
from scorer.service.queue import Query
from scorer.service.rounds import Rounds
from scorer.service.second_looks import SecondLooks
from scorer.service.served import Served


class Annotation:
    """A pool, the graph that chooses pixels, the label store, and the queue of questions.

    ahead: see Rounds; if given, or if the network has not converged, guesses are offered only once
    they are better than chance. Links out of the pool are not followed. Raises BadInput for an n
    that the graph does not support.
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
        self.progress = Progress(store.path.with_name(learned.LOG))
        self.second_looks = SecondLooks(store, self.queue)
        self.guesses = Guesses(lambda: ahead is None and not store.grows and self.rounds.is_trained)
        self.answers = Answers(self.pool, self.queue, store, self.guesses)
        self.pictures = Pictures(self.pool, served, seed=seed)

    def free(self, image: str, row: int, col: int) -> Query:
        """A question about a pixel that an annotator chose. Raises BadInput if it is not in the
        pool, BadImage.
        """
        if image not in self.pool:
            raise BadInput(f"{image!r} is not in the pool", remedy="choose an image of the pool")
        contract = self.rounds.runtime.contract
        geometry = Geometry(size(self.pool.image(image)), contract.grid)
        if not geometry.contains(row, col):
            raise BadInput(
                f"row {row}, col {col} is not in {image}",
                remedy=f"its size is {geometry.image[0]}x{geometry.image[1]}, counted from 0",
            )
        return Query(
            **Place.at(image, geometry, row, col).coordinates, rank=1, score=0.0, guess="",
            guesses=(), round=self.rounds.number, graph=contract.sha256, source=FREE,
        )  # fmt: skip

    @property
    def colours(self) -> list[Colour]:
        """The colour of every class; those that the graph lacks get default colours."""
        ours, more = self.rounds.runtime.contract.colours, default_colours(len(self.store.classes))
        return [*ours, *more[len(ours) :]]

    def second_look(self, annotator: str) -> int:
        """Ask an annotator about answers that a model contradicts; returns their number."""
        graph = self.rounds.runtime.contract.sha256
        return self.second_looks.ask(annotator, graph, self.rounds.number)

    def answered(self, query: Query, annotator: str) -> None:
        """Update the reviews after an answer."""
        graph = self.rounds.runtime.contract.sha256
        self.second_looks.after(query, annotator, graph, self.rounds.number)

    def start(self) -> None:
        """Start ranking in the background."""
        self.rounds.start()

    def stop(self) -> None:
        """Stop ranking, and close the store."""
        self.rounds.stop()
        self.store.close()
