"""Random pixels that are asked to measure the model: a random photograph, a random pixel of it."""

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

_FIRST = 3.0e38  # a score before all others: it is asked next
_TRIES = 20  # draws, of which some photographs may not be readable


class Audits:
    """Draws that depend on the seed and their number alone. rate: of all questions, how many."""

    def __init__(self, pool: Index, rate: float, *, seed: int) -> None:
        self._pool, self.rate, self._seed = pool, rate, seed
        self._drawn = 0  # by this service

    def next(self, runtime: Runtime, standing: Sequence[Answer], queue: Queue) -> Ranked | None:
        """The pixel to ask now, if fewer were asked than there should be."""
        # By a service, and for the first time; the others were imported, or looked at again.
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
        """The pixel of a draw as a graph sees it; None where the photograph cannot be read."""
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
