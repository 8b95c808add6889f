"""Rates, latencies and memory of this process."""

import itertools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter, process_time


def throughput(run: Callable[[int], object], workers: int, seconds: float) -> tuple[float, float]:
    """Calls of `run` per second, and processor seconds per call, with `workers` at a time; at least
    one call of each, as threads begin late on a busy machine.
    """
    begin, used = perf_counter(), process_time()

    def work(worker: int) -> int:
        for count in itertools.count():
            run(count * workers + worker)
            if perf_counter() - begin >= seconds:
                break
        return count + 1

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


def _timed(run: Callable[[int], object], index: int) -> float:
    begin = perf_counter()
    run(index)
    return perf_counter() - begin
