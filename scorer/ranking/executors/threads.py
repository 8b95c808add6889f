"""The executor of threads of this process, each with a shard; runtimes and Pillow release the
GIL.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from scorer.ranking.executors import Divided
from scorer.selection.prefetch import prefetch


class _Stopped(Exception):
    """Another thread failed, or Ctrl-C was pressed."""


def run(shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]) -> None:
    """The executor. An exception is raised when no thread works any more."""
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
            stop.set()  # immediately, so that waiting shards do not begin
            raise

    with ThreadPoolExecutor(shards.workers) as pool:
        try:
            for _ in prefetch(pool, score, missing, 2 * shards.workers):
                pass
        except Exception:  # may be of a shard that was stopped, not of the one that failed first
            raise failed[0] from None
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
