"""Processor time of every stage between an image file and its rows in a ranking, on one thread.

The stages of a graph come from the profiler of ONNX Runtime: their shares of its kernels' time,
times the processor time of the graph without the profiler, which slows it down.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import thread_time
from typing import TypeVar

from scorer.bench.inputs import random_image, readable
from scorer.images.encoded import Encoded, declared, parts
from scorer.images.geometry import Geometry
from scorer.images.photograph import Photograph, decode, load
from scorer.labels import Labels
from scorer.pools import Index
from scorer.ranking import part, table
from scorer.ranking.job import SHARD
from scorer.ranking.shard import Criteria
from scorer.runtimes import cpu
from scorer.runtimes.base import Feeds, Runtime, fed
from scorer.selection.exclusion import Exclusion
from scorer.selection.result import Ranked
from scorer.selection.select import Prepared, chosen, needs_maps, ready, run
from scorer.stage import STAGES, stage_of

READ, DECODE, RESIZE, GRAPH, SPACING, WRITE = (
    "read", "decode", "resize", "graph", "spacing", "write",
)  # fmt: skip
ORDER = (READ, DECODE, RESIZE, *STAGES, GRAPH, SPACING, WRITE)
_ROUNDS = 5
_PROFILED = 8  # images
_NO_STAMP = part.Stamp("", "", "", "", "")

T = TypeVar("T")


class Stopwatch:
    """Processor seconds of this thread, by stage."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """What `work` returns, after its time is noted."""
        begin = thread_time()
        result = work()
        self.note(stage, thread_time() - begin)
        return result

    def note(self, stage: str, seconds: float) -> None:
        """Note a time that was measured elsewhere."""
        self._seconds[stage].append(seconds)

    def medians(self) -> dict[str, float]:
        """The median of every stage, in the order of an image's way."""
        found = {stage: median(self._seconds[stage]) for stage in ORDER if stage in self._seconds}
        if RESIZE in found:  # an image is loaded as a whole: decoded, and resized
            found[RESIZE] = max(0.0, found[RESIZE] - found[DECODE])
        return found


def stages(runtime: Runtime, graph: Path, pool: Index | None) -> dict[str, float]:
    """Median processor seconds per image of every stage, in order.

    The graph is one stage if its nodes do not name theirs. Without a pool the image is random, and
    the stages before the graph are missing.
    """
    watch, criteria = Stopwatch(), Criteria(n=min(Criteria.n, runtime.contract.top_k))
    photographs = _photographs(pool, runtime.contract.grid, runtime.contract.stride, watch)
    barred = Exclusion(Labels({}), None)
    prepared = [
        ready(runtime.contract, image, str(index), barred, n=criteria.n, seed=criteria.seed)
        for index, image in enumerate(photographs)
    ]
    results = [_scored(runtime, item, criteria, watch) for item in prepared]
    _write(results, runtime.contract.classes, criteria, watch)
    found = watch.medians()
    shares = _shares(graph, [_feeds(runtime, item) for item in prepared[:_PROFILED]])
    whole = found.pop(GRAPH)
    found |= {stage: whole * share for stage, share in shares.items()}
    return {stage: found[stage] for stage in ORDER if stage in found}


def _photographs(
    pool: Index | None, grid: tuple[int, int], stride: int, watch: Stopwatch
) -> Iterator[Photograph]:
    """Yield a few images of a pool, timed; without a pool, a random one."""
    if pool is None:
        yield Photograph(random_image(grid), Geometry(grid, grid, stride))
    else:
        yield from readable(pool, lambda name: _photograph(pool, name, grid, stride, watch))


def _photograph(
    pool: Index, name: str, grid: tuple[int, int], stride: int, watch: Stopwatch
) -> Photograph:
    held = watch.time(READ, lambda: _held(pool.image(name)))
    for _ in range(_ROUNDS):
        watch.time(DECODE, lambda: decode(held, grid))
        image = watch.time(RESIZE, lambda: load(held, grid, stride=stride))
    return image


def _held(source: Encoded) -> Encoded:
    """An image whose bytes are in memory."""
    file, reading = parts(source)
    return declared(file if isinstance(file, bytes) else file.read_bytes(), reading)


def _scored(runtime: Runtime, item: Prepared, criteria: Criteria, watch: Stopwatch) -> Ranked:
    """Score an image, and choose its pixels, as a ranking does by default."""
    contract, n, distance = runtime.contract, criteria.n, criteria.distance
    want_map = needs_maps(contract, distance)
    for _ in range(_ROUNDS):
        scores = watch.time(GRAPH, lambda: run(runtime, [item], want_map=want_map))
    for _ in range(_ROUNDS):
        result = watch.time(
            SPACING, lambda: chosen(contract, item, scores, 0, n=n, distance=distance)
        )
    return result.without_maps()


def _write(
    results: list[Ranked], classes: tuple[str, ...], criteria: Criteria, watch: Stopwatch
) -> None:
    """Write a shard of results into a part and into a ranking; the time is that of an image."""
    shard = [replace(results[index % len(results)], image=str(index)) for index in range(SHARD)]
    alone = Stopwatch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def write() -> None:
            part.write(folder, 0, shard, classes, _NO_STAMP, criteria.n, sights=False)
            read = part.read(folder, 0, classes)
            ranked = (one for one in read if isinstance(one, Ranked))
            table.write(folder / "ranking.csv", table.rows(ranked, classes))

        for _ in range(_ROUNDS):
            alone.time(WRITE, write)
    watch.note(WRITE, alone.medians()[WRITE] / SHARD)


def _feeds(runtime: Runtime, item: Prepared) -> Feeds:
    noise = None if item.noise is None else item.noise[None]
    return fed(runtime.contract, item.photograph.pixels[None], item.exclude[None], noise)


def _shares(graph: Path, feeds: list[Feeds]) -> dict[str, float]:
    """The share of every stage in the time of the graph's kernels.

    A node that the runtime added, such as a conversion between layouts, counts with the node before
    it.
    """
    _, *runs = cpu.profile(graph, [feeds[0], *feeds])  # the first run also makes its buffers
    if not any(stage_of(node) for node, _ in runs[0]):
        return {GRAPH: 1.0}
    seconds: defaultdict[str, float] = defaultdict(float)
    for nodes in runs:
        stage = STAGES[0]
        for node, taken in nodes:
            stage = stage_of(node) or stage
            seconds[stage] += taken
    whole = sum(seconds.values())
    return {one: taken / whole for one, taken in seconds.items()}
