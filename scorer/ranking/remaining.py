"""Finds and computes the shards that are still to be done, for rankings and masks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from scorer.ranking.executors import Divided, Executor
from scorer.ranking.observer import Observer


@dataclass
class Remaining:
    """The work that is left.

    missing: shards without a valid part. stale: their number by what has changed. sizes: number of
    images of every shard considered.
    """

    divided: Divided
    missing: list[int]
    stale: dict[str, int]
    sizes: dict[int, int]

    @classmethod
    def of(cls, divided: Divided, numbers: Sequence[int]) -> Self:
        """The work that is left of the shards `numbers`."""
        changed = {number: divided.changed(number) for number in numbers}
        missing = [number for number in numbers if changed[number] is not None]
        sizes = {number: len(divided.manifest.read(number)) for number in numbers}
        return cls(divided, missing, dict(Counter(filter(None, changed.values()))), sizes)

    @property
    def kept(self) -> int:
        """Number of images in valid parts."""
        return sum(self.sizes.values()) - sum(self.sizes[number] for number in self.missing)

    def run(self, executor: Executor, observer: Observer) -> None:
        """Do the work; when this returns, every shard has its part."""
        observer.begun(sum(self.sizes.values()), self.stale)
        observer.scored(self.kept)
        if self.missing:
            executor(self.divided, self.missing, _counted(observer, self.kept))


def _counted(observer: Observer, kept: int) -> Callable[[int], None]:
    """A function that adds up the number of finished images, and reports it."""
    done = kept

    def on_images(count: int) -> None:
        nonlocal done
        done += count
        observer.scored(done)

    return on_images
