"""Threads of this process, each with a shard of its own: the runtime and Pillow work beside each
other.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from scorer.ranking.executors import Divided
from scorer.selection.prefetch import prefetch


class _Stopped(Exception):
    """Somebody else failed, or Ctrl-C was pressed."""


def run(shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]) -> None:
    """The executor of one process. What ends it is raised once no thread works any more."""
    one, stop = threading.Lock(), threading.Event()
    failed: list[BaseException] = []

    def on_image() -> None:
        if stop.is_set():
            raise _Stopped
        with one:
            on_images(1)

    def score(shard: int) -> None:
        if stop.is_set():
            raise _Stopped
        try:
            shards.score(shard, on_image, stop)
        except BaseException as error:
            if not isinstance(error, _Stopped):
                failed.append(error)
            stop.set()  # at once: those that wait must not begin
            raise

    with ThreadPoolExecutor(shards.workers) as pool:
        try:
            for _ in prefetch(pool, score, missing, 2 * shards.workers):
                pass
        except Exception:  # perhaps of a shard that was stopped by the one that failed first
            raise failed[0] from None
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
