"""Compare the scoring graph with the bare network and with PyTorch, and print one table.

Every contestant runs in a process of its own, which gives its peak memory, and alternates with the
bare network in ONNX Runtime: A B A B. The result is the median of the ratios of pairs, so that
drift of the machine's speed does not matter. Last line: all results as JSON.

scripts/bench --out results.json      all of it, an hour on two cores
scripts/bench --quick                 one setting, few rounds
scripts/bench --setting 3             one setting: 320x320 with 150 classes
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import contestants
import numpy as np
from contestants import Run, Setting

from scorer.bench.cost import Measurement, measure
from scorer.bench.timing import peak_memory, throughput
from scorer.console import cores
from scorer.plain import OUTPUTS
from scorer.pools import Index, list_pool

ROOT = Path(__file__).parent.parent
SETTINGS = (
    Setting((256, 512), 19),
    Setting((360, 480), 11),
    Setting((320, 320), 150),
)
MANY = Setting((256, 512), 19, passes=100)
PLAIN = "bare network, ONNX Runtime"
PER_CORE, ALL_CORES = "one image per core", "all cores on one image"
# How the cores are shared: number of images at a time, number of threads for each.
MODES = {PER_CORE: (cores(), 1), ALL_CORES: (1, cores())}

Cost = dict[str, float]
Pair = tuple[Cost, Cost]  # of a contestant, then of the bare network
Ask = Callable[[], Cost]


@dataclass(frozen=True)
class Contestant:
    """A way to compute the result. `make(workers, threads)` builds it in the process that runs it;
    `modes` are those it supports.
    """

    name: str
    make: Callable[[int, int], Run]
    modes: tuple[str, ...] = tuple(MODES)
    rounds: int = 7


@dataclass(frozen=True)
class Result:
    """Medians: ms per image, and the ratio to the bare network timed in alternation."""

    setting: str
    name: str
    mode: str
    ms: float
    ratio: float
    cpu_ms: float
    peak_mb: float


def main() -> None:
    """Read the command line, run the comparison, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds, of the first setting")
    parser.add_argument(
        "--setting", type=int, choices=range(1, len(SETTINGS) + 2), help="only this one of them"
    )
    parser.add_argument("--network", default=SETTINGS[0].network, help="of all settings")
    parser.add_argument("--only", help="contestants whose name contains this")
    parser.add_argument("--no-pool", action="store_true", help="leave out the pools of files")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    args = parser.parse_args()
    results: list[Result] = []
    pools: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in _chosen(args.setting, quick=args.quick):
            setting = replace(one, network=args.network)
            _bake(setting, folder)
            few = [c for c in _field(setting, folder) if not args.only or args.only in c.name]
            results += _race(setting, few, folder, quick=args.quick)
        if not args.no_pool and not args.setting:
            pools = _pools(folder, quick=args.quick)
    told = {
        "machine": machine(),
        "date": date.today().isoformat(),
        "commit": commit(),
        "results": [asdict(result) for result in results],
        "pools": pools,
    }
    for key, value in pools.items():
        print(f"{key}: {value}")
    if args.out:
        args.out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told))


def _chosen(number: int | None, *, quick: bool) -> Sequence[Setting]:
    if number is not None:
        return [(*SETTINGS, MANY)[number - 1]]
    return SETTINGS[:1] if quick else (*SETTINGS, MANY)


def _bake(setting: Setting, folder: Path) -> None:
    print(f"\n### {setting}\n", flush=True)
    contestants.bake_plain(setting, file(folder, setting, "plain"))
    contestants.bake(setting, file(folder, setting, "strips"))
    for output in OUTPUTS:
        contestants.bake_deployed(setting, file(folder, setting, output), output)
    if setting.passes == MANY.passes:
        return
    contestants.bake(setting, file(folder, setting, "whole"), target="gpu")
    for stride in (2, 4):
        contestants.bake(setting, file(folder, setting, f"stride{stride}"), stride=stride)


def _field(setting: Setting, folder: Path) -> Iterator[Contestant]:
    for output in OUTPUTS:
        path = file(folder, setting, output)
        name = f"export --plain, {output.replace('_', ' ')}, ONNX Runtime"
        yield Contestant(name, partial(contestants.onnxruntime, path))
    strips = file(folder, setting, "strips")
    yield Contestant("this graph, ONNX Runtime", partial(contestants.onnxruntime, strips))
    if setting.passes == MANY.passes:
        return
    for stride in (2, 4):
        path = file(folder, setting, f"stride{stride}")
        yield Contestant(
            f"this graph, stride {stride}, ONNX Runtime", partial(contestants.onnxruntime, path)
        )
    whole = file(folder, setting, "whole")
    yield Contestant(
        "this graph, raster whole, ONNX Runtime", partial(contestants.onnxruntime, whole)
    )
    yield from _in_openvino(setting, folder)
    yield from _usual(setting)


def _in_openvino(setting: Setting, folder: Path) -> Iterator[Contestant]:
    for precision in ("float32", "bfloat16"):
        for name, kind in (
            ("bare network", "plain"),
            ("this graph", "strips"),
            ("this graph, stride 4", "stride4"),
            ("this graph, raster whole", "whole"),
        ):
            if precision == "float32" or kind != "whole":
                make = partial(openvino_run, file(folder, setting, kind), precision)
                yield Contestant(f"{name}, OpenVINO {precision}", make, (PER_CORE,))


def _usual(setting: Setting) -> Iterator[Contestant]:
    for name, kind in (
        ("network m times", "network"),
        ("last layer m times", "layer"),
        ("last layer m times, torch.compile", "compiled"),
    ):
        make = partial(torch_run, partial(contestants.pytorch, setting, kind))
        yield Contestant(f"PyTorch, {name}", make, rounds=3)
    make = partial(torch_run, partial(contestants.baal, setting))
    yield Contestant("baal (BALD)", make, (ALL_CORES,), rounds=3)


def _race(
    setting: Setting, few: list[Contestant], folder: Path, *, quick: bool
) -> Iterator[Result]:
    plain = Contestant(PLAIN, partial(contestants.onnxruntime, file(folder, setting, "plain")))
    print(f"| {'contestant':<44} | cores | ms/image | x bare | CPU ms | peak MB |")
    print("|---|---|---|---|---|---|")
    for mode in MODES:
        with started(plain, setting, mode) as ask_plain:
            ask_plain()
            own = [ask_plain() for _ in range(5)]
            yield _told(setting, plain.name, mode, [(one, one) for one in own])
            for contestant in few:
                if mode not in contestant.modes:
                    continue
                rounds = min(3, contestant.rounds) if quick else contestant.rounds
                with started(contestant, setting, mode) as ask:
                    if pairs := _paired(ask, ask_plain, rounds):
                        yield _told(setting, contestant.name, mode, pairs)
                    else:
                        print(f"| {contestant.name:<44} | failed: see stderr |", flush=True)


def _paired(ask: Ask, ask_plain: Ask, rounds: int) -> list[Pair]:
    """Pairs of costs, measured in alternation; empty if the contestant cannot run."""
    try:
        ask()
    except (EOFError, ConnectionError):
        return []
    return [(ask(), ask_plain()) for _ in range(rounds)]


def _told(setting: Setting, name: str, mode: str, pairs: list[Pair]) -> Result:
    result = Result(
        setting=str(setting),
        name=name,
        mode=mode,
        ms=median(one["ms"] for one, _ in pairs),
        ratio=median(one["ms"] / plain["ms"] for one, plain in pairs),
        cpu_ms=median(one["cpu_ms"] for one, _ in pairs),
        peak_mb=max(one["peak_mb"] for one, _ in pairs),
    )
    short = "per core" if mode == PER_CORE else "all"
    print(
        f"| {name:<44} | {short} | {result.ms:.1f} | {result.ratio:.2f} | {result.cpu_ms:.0f} "
        f"| {result.peak_mb:.0f} |",
        flush=True,
    )
    return result


@contextmanager
def started(contestant: Contestant, setting: Setting, mode: str) -> Iterator[Ask]:
    """A process that runs the contestant for a while on request. EOFError or ConnectionError if it
    has ended.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, contestant, setting, mode))
    process.start()
    there.close()  # while it is open here too, the end of the process goes unnoticed

    def ask() -> Cost:
        here.send("go")
        answer: Cost = here.recv()
        return answer

    try:
        yield ask
    finally:
        with suppress(ConnectionError):
            here.send(None)
        process.join()


def _serve(pipe: Connection, contestant: Contestant, setting: Setting, mode: str) -> None:
    workers, threads = MODES[mode]
    run = contestant.make(workers, threads)
    images = np.random.default_rng(0).integers(0, 256, (4, 1, *setting.size, 3), dtype=np.uint8)
    while pipe.recv() is not None:
        rate, cpu = throughput(lambda index: run(images[index % 4]), workers, 1.5)
        most = peak_memory() or 0
        pipe.send({"ms": 1e3 / rate, "cpu_ms": cpu * 1e3, "peak_mb": most / 1e6})


def openvino_run(path: Path, precision: str, workers: int, _threads: int) -> Run:
    return contestants.openvino(path, workers, precision)


def torch_run(make: Callable[[], Run], _workers: int, threads: int) -> Run:
    import torch  # PyTorch's threads are counted per thread that calls it

    torch.set_num_threads(threads)
    run = make()

    def counted(image: contestants.Image) -> object:
        torch.set_num_threads(threads)
        return run(image)

    return counted


def _pools(folder: Path, *, quick: bool) -> dict[str, object]:
    """From files: images/s relative to the bare graph, and the growth of memory."""
    count = 60 if quick else 500
    graph = folder / "pool.onnx"
    shutil.copy(file(folder, SETTINGS[0], "strips"), graph)
    pool = photographs(folder / "pool", count)
    plan = Measurement(
        graph=graph, runtime="cpu", precision="float32", workers=cores(), seconds=20, pool=pool
    )
    cost = measure(plan)
    size = median(entry.size for entry in pool.entries())
    found: dict[str, object] = {
        f"images/s from {count} files of 2048x1024 JPEG ({size / 1e3:.0f} kB)": cost.files,
        "images/s of the bare graph": cost.rate,
        "share": cost.share,
    }
    source = sorted((folder / "pool" / "images").iterdir())
    for many in (20, 60) if quick else (200, 2000):
        copies = folder / f"pool{many}"
        copies.mkdir()
        for index in range(many):
            os.link(source[index % count], copies / f"{index:05}.jpg")
        found[f"peak MB of scorer rank over {many} files"] = _ranked(graph, copies)
    if not quick:
        heavy = SETTINGS[2]
        found[f"peak MB of scorer rank at {heavy}"] = _ranked(
            file(folder, heavy, "strips"), folder / "pool200"
        )
    return found


def photographs(folder: Path, count: int) -> Index:
    """2048x1024 JPEGs of drawn streets with camera noise; every drawing is used ten times."""
    drawn = max(1, count // 25)
    subprocess.run(
        [sys.executable, ROOT / "scripts/streets.py", folder / "drawn", "--train", str(drawn),
         "--val", "0", "--size", "1024x2048"],
        check=True, stdout=sys.stderr,
    )  # fmt: skip
    images = folder / "images"
    images.mkdir()
    source = sorted((folder / "drawn" / "images").iterdir())
    for index in range(count):
        shutil.copy(source[index % drawn], images / f"{index:04}.jpg")
    return list_pool(images)


_RANK_AND_TELL = """
import sys
from scorer.bench.timing import peak_memory
from scorer.cli import main
try:
    main(sys.argv[1:])
finally:
    print(peak_memory())
"""


def _ranked(graph: Path, pool: Path) -> float:
    """Peak memory of `scorer rank`, in MB."""
    process = subprocess.run(
        [sys.executable, "-c", _RANK_AND_TELL, "rank", "--pool", pool, "--graph", graph,
         "--runtime", "cpu", "--out", pool.with_suffix(".csv"), "--no-resume"],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return int(process.stdout) / 1e6


def file(folder: Path, setting: Setting, kind: str) -> Path:
    height, width = setting.size
    return folder / f"{kind}-{height}x{width}-{setting.classes}-{setting.passes}.onnx"


def machine() -> str:
    name = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open() as file:
        name = next((line.split(":")[1].strip() for line in file if "model name" in line), name)
    return f"{name}, {cores()} cores, Python {platform.python_version()}"


def commit() -> str:
    process = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return process.stdout.strip()


if __name__ == "__main__":
    main()
