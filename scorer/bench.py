"""Measures what a graph costs in each runtime: time, memory and processor time per image.

Every runtime is measured in a process of its own, which gives its peak memory.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt

from scorer.errors import BadImage, BadPool
from scorer.images.photograph import load
from scorer.pools import Index
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.shard import Criteria
from scorer.runtimes import open_graph
from scorer.runtimes.base import Runtime
from scorer.selection.noise import uniform

_IN_MEMORY = 16  # photographs in memory for measuring the graph alone
_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What to measure: `graph` in a runtime for `seconds`; with a pool, also ranking from its
    files.
    """

    graph: Path
    runtime: str
    precision: str
    workers: int
    seconds: float
    pool: Index | None = None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Measured costs, as medians.

    alone: seconds per image, one at a time on one core. rate: images per second, one image per
    core, from memory; files: images per second from the pool's files to a ranking, or None. cpu:
    processor seconds per image, which determine energy. opening: seconds. peak_memory: bytes of the
    whole process, or None if unknown.
    """

    runtime: str
    precision: str
    alone: float
    rate: float
    files: float | None
    cpu: float
    opening: float
    peak_memory: int | None

    @property
    def share(self) -> float | None:
        """Rate from files to a ranking, as a fraction of the rate from memory; None without a
        pool.
        """
        return None if self.files is None else self.files / self.rate


def measure(plan: Measurement) -> Cost:
    """Measure in a separate process; raises the errors of opening the graph."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_measure, plan).result()


def throughput(run: Callable[[int], object], workers: int, seconds: float) -> tuple[float, float]:
    """Calls of `run` per second, and processor seconds per call, with `workers` at a time."""
    begin, used = perf_counter(), process_time()

    def work(worker: int) -> int:
        count = 0
        while perf_counter() - begin < seconds:
            run(count * workers + worker)
            count += 1
        return count

    with ThreadPoolExecutor(workers) as threads:
        calls = sum(threads.map(work, range(workers)))
    return calls / (perf_counter() - begin), (process_time() - used) / calls


def latency(run: Callable[[int], object], seconds: float) -> float:
    """Median seconds of a call, after two warm-up calls."""
    times = [_timed(run, index) for index in range(5)][2:]
    while sum(times) < seconds:
        times.append(_timed(run, len(times)))
    return median(times)


def peak_memory() -> int | None:
    """Peak memory of this process in bytes; None if the system does not report it."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _measure(plan: Measurement) -> Cost:
    begin = perf_counter()
    runtime = open_graph(plan.runtime, plan.graph, workers=plan.workers, precision=plan.precision)
    opening = perf_counter() - begin
    run = _bare(runtime, plan.pool)
    alone = latency(run, plan.seconds / 4)
    throughput(run, plan.workers, plan.seconds / 8)  # warm-up: every worker allocates its buffers
    rounds = [_round(runtime, run, plan, part) for part in _parts(plan.pool)]
    rates, cpu, files = zip(*rounds, strict=True)
    measured = [value for value in files if value is not None]
    return Cost(
        runtime=plan.runtime,
        precision=plan.precision,
        alone=alone,
        rate=median(rates),
        files=median(measured) if measured else None,
        cpu=median(cpu),
        opening=opening,
        peak_memory=peak_memory(),
    )


def _round(
    runtime: Runtime, run: Callable[[int], object], plan: Measurement, part: Index | None
) -> tuple[float, float, float | None]:
    """Rate from memory, processor seconds per image, and rate from files, measured in sequence."""
    rate, cpu = throughput(run, plan.workers, plan.seconds / _ROUNDS)
    return rate, cpu, None if part is None else _from_files(runtime, part)


def _parts(pool: Index | None) -> Iterator[Index | None]:
    """Yield a part of the pool for every round; None without a pool."""
    for index in range(_ROUNDS):
        names = pool.names[index::_ROUNDS] if pool else ()
        yield pool.only(names) if pool and names else None


def _from_files(runtime: Runtime, pool: Index) -> float:
    with tempfile.TemporaryDirectory() as folder:
        begin = perf_counter()
        rank_to_file(
            Run(runtime, pool, Path(folder) / "ranking.csv", RankOptions(criteria=Criteria(n=1)))
        )
        return len(pool) / (perf_counter() - begin)


def _bare(runtime: Runtime, pool: Index | None) -> Callable[[int], object]:
    """A function run(i) that scores one of a few images in memory."""
    contract = runtime.contract
    images = list(_images(contract.grid, pool))
    exclude = np.zeros((1, *contract.map), np.uint8)
    noise = uniform(0, "", contract.map)[None] if contract.stochastic else None
    return lambda index: runtime.run(images[index % len(images)], exclude, noise)


def _images(grid: tuple[int, int], pool: Index | None) -> Iterator[npt.NDArray[np.uint8]]:
    if pool is None:
        yield np.random.default_rng(0).integers(0, 256, (1, *grid, 3), dtype=np.uint8)
        return
    found = 0
    for name in pool.names:
        with suppress(BadImage):
            yield load(pool.image(name), grid).pixels[None]
            found += 1
        if found == _IN_MEMORY:
            return
    if not found:
        raise BadPool(
            f"none of the {len(pool)} images in {pool.where} can be read",
            remedy="give --pool a folder of photographs",
        )


def _timed(run: Callable[[int], object], index: int) -> float:
    begin = perf_counter()
    run(index)
    return perf_counter() - begin
