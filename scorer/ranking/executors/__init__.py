"""What computes the shards of a pool: threads here, processes here, or a cluster."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scorer.ranking.manifest import Manifest  # pyarrow takes a while


class Divided(Protocol):
    """A pool in shards, each of which becomes a part in `folder`. `workers`: how many at a time."""

    @property
    def workers(self) -> int: ...
    @property
    def folder(self) -> Path: ...
    @property
    def manifest(self) -> "Manifest": ...

    def score(
        self,
        shard: int,
        on_image: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Write the part of a shard."""
        ...

    def changed(self, shard: int) -> str | None:
        """Why the part of a shard does not hold; None where it does."""
        ...


class Portable(Protocol):
    """What another process needs to open the same shards, for so many `workers`; small when
    pickled.
    """

    @property
    def workers(self) -> int: ...

    def open(self) -> Divided:
        """The shards, ready to be scored in this process."""
        ...


class Executor(Protocol):
    """Scores shards, in any order; on_images hears of every image, or of several together.

    When it returns, the part of every shard is there.
    """

    def __call__(
        self, shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]
    ) -> None: ...
