"""The executor of several processes of this machine, each with its own graph and threads."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice

from scorer import arrow
from scorer.errors import Failure
from scorer.processes import end_with_parent
from scorer.ranking.executors import Divided, Portable, threads

_MOST_DEATHS = 20  # consecutive deaths without a finished shard in between
_Scored = tuple[list[int], int]
_opened: Divided | Failure  # in a worker process


@dataclass(frozen=True)
class Processes:
    """The executor. A worker that dies is replaced, and its shard is scored again."""

    count: int
    work: Callable[[Divided], Portable]

    def __call__(
        self, shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]
    ) -> None:
        work, left, deaths = self.work(shards), list(missing), 0
        while left:
            before = len(left)
            try:
                for scored, images in self._round(work, left):
                    left = [shard for shard in left if shard not in scored]
                    on_images(images)
            except BrokenProcessPool as error:
                for shard in [one for one in left if shards.changed(one) is None]:
                    left.remove(shard)  # finished, but not reported
                    on_images(len(shards.manifest.read(shard)))
                deaths = 0 if len(left) < before else deaths + 1
                if deaths == _MOST_DEATHS:
                    raise Failure(
                        f"{deaths} worker processes died one after the other, "
                        f"with shards such as {left[0]} of {shards.folder}",
                        remedy="is there memory enough? try fewer --workers or --threads",
                    ) from error

    def _round(self, work: Portable, missing: Sequence[int]) -> Iterator[_Scored]:
        """Yield finished shards, one per thread of a worker, with their number of images."""
        context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
        starts, pending = iter(range(0, len(missing), work.workers)), set[Future[_Scored]]()
        pool = ProcessPoolExecutor(self.count, context, _begin, (work, os.getpid()))
        try:
            while True:
                ahead = 2 * self.count - len(pending)
                pending |= {
                    pool.submit(_score, list(missing[start : start + work.workers]))
                    for start in islice(starts, ahead)
                }
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:  # on Ctrl-C or a full disk, workers are terminated
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(work: Portable, parent: int) -> None:
    global _opened  # noqa: PLW0603  # the state of a worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the parent handles Ctrl-C
    end_with_parent()
    if sys.platform == "linux" and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)  # the parent died before
    arrow.lighten()
    try:
        _opened = work.open()
    except Failure as error:  # raised when the worker is to score
        _opened = error


def _score(numbers: list[int]) -> _Scored:
    if isinstance(_opened, Failure):
        raise _opened
    counts: list[int] = []
    threads.run(_opened, numbers, counts.append)
    return numbers, sum(counts)
