"""What of a pool is still to be done: for rankings and for masks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from scorer.ranking.executors import Divided, Executor
from scorer.ranking.observer import Observer


@dataclass
class Remaining:
    """missing: the shards whose parts do not hold. stale: how many of these there are for each
    thing that has changed. sizes: images of every shard that was looked at.
    """

    divided: Divided
    missing: list[int]
    stale: dict[str, int]
    sizes: dict[int, int]

    @classmethod
    def of(cls, divided: Divided, numbers: Sequence[int]) -> Self:
        """Among some shards."""
        changed = {number: divided.changed(number) for number in numbers}
        missing = [number for number in numbers if changed[number] is not None]
        sizes = {number: len(divided.manifest.read(number)) for number in numbers}
        return cls(divided, missing, dict(Counter(filter(None, changed.values()))), sizes)

    @property
    def kept(self) -> int:
        """Images of the parts that hold."""
        return sum(self.sizes.values()) - sum(self.sizes[number] for number in self.missing)

    def run(self, executor: Executor, observer: Observer) -> None:
        """Do it; when this returns, the part of every shard is there."""
        observer.begun(sum(self.sizes.values()), self.stale)
        observer.scored(self.kept)
        if self.missing:
            executor(self.divided, self.missing, _counted(observer, self.kept))


def _counted(observer: Observer, kept: int) -> Callable[[int], None]:
    """Adds up how many images are done."""
    done = kept

    def on_images(count: int) -> None:
        nonlocal done
        done += count
        observer.scored(done)

    return on_images
