"""Audit questions: random pixels of random photographs, which measure the model."""

from collections.abc import Sequence

from scorer.errors import BadImage
from scorer.labels import Labels
from scorer.labels.answer import AUDIT, Answer
from scorer.pools import Index
from scorer.runtimes.base import Runtime
from scorer.selection.exclusion import Exclusion
from scorer.selection.noise import uniform
from scorer.selection.result import Pixel, Ranked
from scorer.selection.select import chosen, prepare, run
from scorer.service.queue import Queue

_FIRST = 3.0e38  # above all scores: such a question is asked next
_TRIES = 20  # draws, as some photographs may be unreadable


class Audits:
    """Draws audit questions, from the seed and their numbers alone. rate: share of all
    questions.
    """

    def __init__(self, pool: Index, rate: float, *, seed: int) -> None:
        self._pool, self.rate, self._seed = pool, rate, seed
        self._drawn = 0  # by this process

    def next(self, runtime: Runtime, standing: Sequence[Answer], queue: Queue) -> Ranked | None:
        """The audit question to ask now; None if enough were asked."""
        # Questions of a service, without reviews; other answers were imported.
        asked = [one for one in standing if one.graph and one.reviews is None]
        done = sum(one.source == AUDIT for one in asked)
        if queue.waits_for(AUDIT) or done >= self.rate * (len(asked) + 1):
            return None
        known = {one.pixel for one in standing}
        for _ in range(_TRIES):
            found = self._draw(runtime, done + self._drawn)
            self._drawn += 1
            if found is not None and found.place(found.pixels[0]).pixel not in known:
                return found
        return None

    def _draw(self, runtime: Runtime, number: int) -> Ranked | None:
        """Draw a pixel, with the graph's prediction; None if the photograph cannot be read."""
        place, across, down = uniform(self._seed, f"audit {number}", (3,)).tolist()
        name = self._pool.names[int(place * len(self._pool))]
        contract = runtime.contract
        nothing = Exclusion(Labels({}))
        try:
            source = self._pool.image(name)
            item = prepare(contract, source, name, nothing, n=1, seed=self._seed)
        except BadImage:
            return None
        seen = chosen(
            contract, item, run(runtime, [item], want_map=contract.has_map), 0, n=1, distance=0
        )
        (height, width), label = seen.geometry.image, 0
        row, col = int(down * height), int(across * width)
        if seen.segmentation is not None:
            label = int(seen.segmentation[seen.geometry.to_map(row, col)])
        pixel = Pixel(row, col, 1, _FIRST, label)
        return Ranked(name, seen.geometry, (pixel,), segmentation=seen.segmentation)
