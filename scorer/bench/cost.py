"""Measures what a graph costs in each runtime: time, memory and processor time per image.

Every runtime is measured in a process of its own, which gives its peak memory.
"""

import math
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

from scorer import arrow
from scorer.bench.inputs import bare
from scorer.bench.stages import stages
from scorer.bench.timing import latency, peak_memory, throughput
from scorer.errors import BadPool
from scorer.pools import Index
from scorer.ranking.job import SHARD, RankOptions, Run, rank_to_file
from scorer.ranking.shard import Criteria
from scorer.runtimes import open_graph
from scorer.runtimes.base import Runtime

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
    whole process, or None if unknown. stages: processor seconds per image of every stage, in order;
    None for runtimes whose profiler is not read.
    """

    runtime: str
    precision: str
    alone: float
    rate: float
    files: float | None
    cpu: float
    opening: float
    peak_memory: int | None
    stages: dict[str, float] | None

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


def _measure(plan: Measurement) -> Cost:
    arrow.lighten()  # as scorer rank does
    begin = perf_counter()
    runtime = open_graph(plan.runtime, plan.graph, workers=plan.workers, precision=plan.precision)
    opening = perf_counter() - begin
    run = bare(runtime, plan.pool)
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
        stages=stages(runtime, plan.graph, plan.pool) if plan.runtime == "cpu" else None,
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


def _from_files(runtime: Runtime, pool: Index) -> float | None:
    # Small shards: the last ones must keep all workers busy, as those of a large pool do.
    options = RankOptions(
        criteria=Criteria(n=min(Criteria.n, runtime.contract.top_k)),
        shard=min(SHARD, math.ceil(len(pool) / (8 * runtime.workers))),
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = perf_counter()
        try:
            rank_to_file(Run(runtime, pool, Path(folder) / "ranking.csv", options))
        except BadPool:  # no image of this part can be used
            return None
        return len(pool) / (perf_counter() - begin)
