"""What computes the shards of a ranking: threads here, processes here, or a cluster."""

from collections.abc import Callable, Sequence
from typing import Protocol

from scorer.ranking.shard import Shards


class Executor(Protocol):
    """Scores shards, in any order; on_images hears of every image, or of several together.

    When it returns, the part of every shard is there.
    """

    def __call__(
        self, shards: Shards, missing: Sequence[int], on_images: Callable[[int], None]
    ) -> None: ...
