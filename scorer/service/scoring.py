"""Scores requests: a bounded queue, and batches of simultaneous requests."""

import math
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from scorer.contract import Contract
from scorer.runtimes.base import Runtime, Scores
from scorer.runtimes.blank import is_blank
from scorer.service.served import Served


@dataclass(frozen=True)
class Tensors:
    """The inputs of a graph: image uint8 [B, H, W, 3], exclude and noise [B, mapH, mapW]."""

    image: npt.NDArray[np.uint8]
    exclude: npt.NDArray[np.uint8]
    noise: npt.NDArray[np.float32] | None


Arrays = TypeVar("Arrays", Tensors, Scores)


class Scored(NamedTuple):
    """The answer to a submission, and the contract of the graph that scored it."""

    contract: Contract
    answer: Any


class Submission(Protocol):
    """Something to be scored: the scoring thread decodes it, and makes the answer."""

    images: int

    def needs_maps(self, runtime: Runtime) -> bool: ...
    def load(self, runtime: Runtime) -> Tensors: ...
    def finish(self, runtime: Runtime, scores: Scores) -> Any: ...


class Busy(Exception):
    """The queue is full; there may be room after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many requests wait")
        self.seconds = seconds


class NoModel(Exception):
    """There is no model yet, only random pixels: nothing can be scored."""

    def __init__(self) -> None:
        super().__init__("there is no model yet")


@dataclass
class _Job:
    work: Submission
    future: "Future[Scored]" = field(default_factory=Future)


class Scoring:
    """Threads that score submissions in batches.

    waiting: limit of queued images. batch: largest number of images scored together, which arrive
    within `linger` seconds of the first. The result of a future contains the contract of its graph.
    """

    def __init__(
        self, served: Served, *, waiting: int = 64, batch: int = 1, linger: float = 0.005
    ) -> None:
        self.served, self.waiting, self.batch, self.linger = served, waiting, batch, linger
        self.images = 0  # scored so far
        self._seconds = 0.1  # per image, a running mean
        self._room = threading.Lock()
        self._taken = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"scoring {index}", daemon=True)
            for index in range(served.runtime.workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """Number of images that are queued or being scored."""
        return self._taken

    def submit(self, works: Sequence[Submission]) -> "list[Future[Scored]]":
        """Queue all submissions or, raising Busy or NoModel, none."""
        if is_blank(self.served.runtime.contract):
            raise NoModel
        images = sum(work.images for work in works)
        with self._room:
            if self._taken and self._taken + images > self.waiting:
                wait = self._taken * self._seconds / len(self._threads)
                raise Busy(max(1, math.ceil(wait)))
            self._taken += images
        jobs = [_Job(work) for work in works]
        for job in jobs:
            self._jobs.put(job)
        return [job.future for job in jobs]

    def stop(self) -> None:
        """Finish the queued submissions, and end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, goes_on = self._gather(first)
            begin = monotonic()
            images = sum(job.work.images for job in jobs)
            try:
                self._run([job for job in jobs if job.future.set_running_or_notify_cancel()])
            finally:
                with self._room:
                    self._taken -= images
                    self.images += images
                    self._seconds += 0.1 * ((monotonic() - begin) / images - self._seconds)
            if not goes_on:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """The submissions that arrive in time, up to a batch; and whether more may follow."""
        jobs, images, end = [first], first.work.images, monotonic() + self.linger
        while images < self.batch:
            try:
                job = self._jobs.get(timeout=max(0.0, end - monotonic()))
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
            images += job.work.images
        return jobs, True

    def _run(self, jobs: Sequence[_Job]) -> None:
        runtime = self.served.runtime
        loaded = []
        for job in jobs:
            try:
                loaded.append((job, job.work.load(runtime)))
            except Exception as error:  # of one request, whose future gets it
                job.future.set_exception(error)
        if loaded:
            self._score(runtime, loaded)

    def _score(self, runtime: Runtime, loaded: Sequence[tuple[_Job, Tensors]]) -> None:
        try:
            scores = self._together(runtime, loaded)
        except Exception as error:  # of a runtime; these have no common base class
            for job, _ in loaded:
                job.future.set_exception(error)
            return
        begin = 0
        for job, tensors in loaded:
            end = begin + len(tensors.image)
            try:
                answer = job.work.finish(runtime, _part(scores, slice(begin, end)))
                job.future.set_result(Scored(runtime.contract, answer))
            except Exception as error:  # of one request; the thread continues
                job.future.set_exception(error)
            begin = end

    def _together(self, runtime: Runtime, loaded: Sequence[tuple[_Job, Tensors]]) -> Scores:
        """Score the images of all submissions, in several batches if necessary."""
        given = _joined([tensors for _, tensors in loaded])
        want_map = any(job.work.needs_maps(runtime) for job, _ in loaded)
        starts = range(0, len(given.image), self.batch)
        parts = [_part(given, slice(start, start + self.batch)) for start in starts]
        return _joined(
            [runtime.run(one.image, one.exclude, one.noise, want_map=want_map) for one in parts]
        )


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """Concatenate the arrays of all parts; None stays None."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    values: list[Any] = [None if one[0] is None else np.concatenate(one) for one in columns]
    return type(parts[0])(*values)


def _part(arrays: Arrays, images: slice) -> Arrays:
    values: list[Any] = [None if one is None else one[images] for one in vars(arrays).values()]
    return type(arrays)(*values)
