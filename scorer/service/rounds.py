"""Rounds of labelling: the current graph ranks the pool in the background, and fills the queue."""

import itertools
import threading
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from scorer.console import say
from scorer.contract import CONVERGED
from scorer.labels.answer import ASKED, AUDIT, Answer
from scorer.labels.store import Store
from scorer.pools import Index, Pool
from scorer.processes import yield_to_others
from scorer.runtimes.base import Runtime
from scorer.runtimes.blank import is_blank
from scorer.selection.noise import uniform
from scorer.selection.result import Ranked
from scorer.selection.select import check, rank
from scorer.service.audits import Audits
from scorer.service.queue import Queue
from scorer.service.served import Served

_AHEAD = 8  # random pixels, by default
_LOOK_S = 0.05


class Rounds:
    """The current round: the questions of one graph about a pool.

    ahead: number of pixels chosen ahead of the annotators, from photographs with the fewest answers
    first, in random order; None: the whole pool is ranked. audit: share of audit questions. ranked,
    skipped: images of this round so far. failure: why the ranking has ended, or None. Raises
    BadInput for an n that the graph does not support.
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
        contract = served.runtime.contract
        check(contract, n=n, distance=None if is_blank(contract) else distance, want_map=False)
        self.pool, self.served, self.store = pool, served, store
        self.n, self.distance, self.seed, self.ahead = n, distance, seed, ahead
        self._audits = Audits(pool, audit, seed=seed)
        order = np.argsort(uniform(seed, "photographs", (len(pool),)), kind="stable")
        self._shuffled = [pool.names[place] for place in order]
        self.queue = Queue()
        self._turn = threading.Lock()
        self._begin(list(store.standing()))

    def _begin(self, standing: Sequence[Answer]) -> None:
        """Prepare a new round, with a ranking from the start of the pool."""
        self.ranked, self.skipped, self._nonnegative = 0, 0, 0.0
        self.failure: str | None = None
        graph = self.runtime.contract.sha256
        self.number = _number(standing, graph)
        self._stop = threading.Event()
        answered = Counter(
            one.image
            for one in standing
            if (one.round, one.graph, one.source) == (self.number, graph, ASKED)
            and one.answer != "skip"
            and one.reviews is None
        )
        ranking = (self.runtime, self._turn_of(standing), self.number, answered, self._stop)
        self._thread = threading.Thread(
            target=self._rank, args=ranking, name="ranking", daemon=True
        )

    def _turn_of(self, standing: Sequence[Answer]) -> Pool:
        """The photographs in the order of the questions."""
        if self.ahead is None:
            return self.pool
        answers = Counter(one.image for one in standing)
        return self.pool.only(sorted(self._shuffled, key=lambda name: answers[name]))

    @property
    def runtime(self) -> Runtime:
        """The current runtime."""
        return self.served.runtime

    def start(self) -> None:
        """Start ranking in the background."""
        self._thread.start()

    def reload(self) -> bool:
        """Reload the graph's file; a new graph begins a new round. Returns whether there is one."""
        with self._turn:
            standing = list(self.store.standing())  # first, because it can fail
            if not self.served.reload(self.store) and self.failure is None:
                return False
            self._stop.set()
            self._thread.join()
            self.queue.clear()
            self._begin(standing)
            self.start()
            what = "ranks the pool" if self.ahead is None else "chooses the next pixels"
            say(f"round {self.number}: a new graph {what}")
            return True

    def stop(self) -> None:
        """Stop ranking."""
        with self._turn:
            self._stop.set()
            self._thread.join()

    @property
    def nonnegative(self) -> float | None:
        """Share of the pixels ranked in this round with BalEnt ≥ 0; None if unknown."""
        contract = self.runtime.contract
        is_known = contract.traits.zero_level is not None and contract.has_map and self.ranked
        return self._nonnegative / self.ranked if is_known else None

    @property
    def is_trained(self) -> bool:
        """Whether the network has learned something, as far as its BalEnt says it."""
        share = self.nonnegative
        return share is None or share >= CONVERGED

    @property
    def is_ranked(self) -> bool:
        """Whether the whole pool is ranked."""
        return self.ranked + self.skipped >= len(self.pool)

    def _rank(
        self,
        runtime: Runtime,
        pool: Pool,
        number: int,
        answered: Mapping[str, int],
        stop: threading.Event,
    ) -> None:
        """Add n questions per image, less those answered in this round; without a model, or with
        `ahead`, continue until the graph changes.
        """
        yield_to_others()
        try:
            for turn in itertools.count():
                self._ask(runtime, pool, number, answered if turn == 0 else {}, turn, stop)
                goes_on = (is_blank(runtime.contract) or self.ahead) and self.ranked
                if stop.is_set() or not goes_on:
                    return
        except Exception as error:  # shown on the page and in /v1/state; labelling continues
            self.failure = str(error)

    def _ask(
        self,
        runtime: Runtime,
        pool: Pool,
        number: int,
        answered: Mapping[str, int],
        turn: int,
        stop: threading.Event,
    ) -> None:
        """Go through the pool once: a random pixel of each photograph, or the n best."""
        is_random = is_blank(runtime.contract)
        n = 1 if is_random else self.n
        results = rank(
            runtime, pool, n=n, labels=self.store.labels(), seed=self.seed + turn,
            distance=self.distance, want_map=runtime.contract.has_map,
        )  # fmt: skip
        for result in results:
            if stop.is_set():
                return
            if isinstance(result, Ranked):
                left = n if is_random else max(0, n - answered.get(result.image, 0))
                self._nonnegative += (result.nonnegative or 0.0) * (turn == 0)
                self.ranked += turn == 0
                self.queue.add(result.best(left), runtime.contract, number)
            else:
                self.skipped += turn == 0
            self._audit(runtime, number)
            self._wait(self.ahead or (_AHEAD if is_random else None), stop)

    def _audit(self, runtime: Runtime, number: int) -> None:
        """Add an audit question, if one is due."""
        if is_blank(runtime.contract) or not self._audits.rate:
            return
        found = self._audits.next(runtime, list(self.store.standing()), self.queue)
        if found is not None:
            self.queue.add(found, runtime.contract, number, AUDIT)

    def _wait(self, ahead: int | None, stop: threading.Event) -> None:
        """Wait until the annotators need more pixels, or the round ends."""
        while ahead is not None and self.queue.free() >= ahead:
            if stop.wait(_LOOK_S):
                return


def _number(standing: Sequence[Answer], graph: str) -> int:
    """The round of the latest answers if they are of this graph, else the next."""
    last = next((one for one in reversed(standing) if one.graph), None)
    if last is not None and last.graph == graph:
        return last.round
    return 1 + max((one.round for one in standing), default=0)
