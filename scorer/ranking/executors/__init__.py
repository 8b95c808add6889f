"""Executors: compute the shards of a pool in threads, processes, or on a cluster."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scorer.ranking.manifest import Manifest  # pyarrow loads slowly


class Divided(Protocol):
    """A pool divided into shards, each of which gives a part in `folder`; workers: shards at a
    time.
    """

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
        """Why the part of a shard is invalid; None if it is valid."""
        ...


class Portable(Protocol):
    """A small picklable object with which another process opens the same shards; workers: at a
    time.
    """

    @property
    def workers(self) -> int: ...

    def open(self) -> Divided:
        """Open the shards in this process."""
        ...


class Executor(Protocol):
    """Scores shards, in any order, and returns when every shard has its part.

    on_images: called with the number of images done since the last call.
    """

    def __call__(
        self, shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]
    ) -> None: ...
