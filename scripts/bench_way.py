"""What every stage costs from an image file to its picks, and the ratios that are held to a goal.

scripts/bench --way --out way.json     45 minutes on two cores
scripts/bench --way --only goals       without the tables of stages
scripts/way_tables.py way.json         the tables of docs/benchmarks.md

Costs of a row are of one process; `x bare` is a median over pairs with the bare network in turns,
each in a process of its own. Last line: everything as JSON.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import bench
import contestants
from bench import ALL_CORES, PER_CORE, PLAIN, Ask, Contestant
from contestants import Setting
from PIL import Image

from scorer.bench.cost import Cost, Measurement, measure
from scorer.console import cores
from scorer.pools import Index, list_pool
from scorer.stage import ACQUISITION, BACKBONE, HEAD, MOMENTS, PASSES

HEAD_NETWORK, WHOLE = "pixelhead-efficientnet-lite0", "deeplabv3plus-efficientnet-lite0"
STRIDES = (1, 2, 4)
DEFAULT = 4  # the stride of both networks' features
SMALL = Setting((256, 512), 19, network=HEAD_NETWORK)  # for 2048x1024
LARGE = Setting((480, 640), 19, network=HEAD_NETWORK)  # for 640x480
MANY = Setting((320, 320), 150, network=HEAD_NETWORK)
AFTER = (PASSES, MOMENTS, ACQUISITION)
IMAGES = 160
FILES = 640  # for the rate from files, which the start of a ranking would lower in a smaller pool
_STARTED = """
import numpy as np
from scorer.runtimes.cpu import open_session
session = open_session({graph!r})
images = np.zeros((1, *session.get_inputs()[0].shape[1:]), np.uint8)
exclude = np.zeros((1, *session.get_inputs()[1].shape[1:]), np.uint8)
session.run(None, {{"image": images, "exclude": exclude}})
"""

Found = dict[str, object]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("stages", "goals"), help="one of both parts")
    parser.add_argument("--seconds", type=float, default=6, help="per graph")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    args = parser.parse_args()
    found: Found = {
        "machine": bench.machine(), "date": date.today().isoformat(), "commit": bench.commit(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pools = _photographs(folder / "pool")
        ratios: dict[str, float] = {}
        found |= {"goals": ratios, "stages": (rows := [])}
        if args.only != "stages":
            for ratio, value in _goals(folder, pools, args.seconds):
                ratios[ratio] = value
                _keep(found, args.out)
        if args.only != "goals":
            for row in _stages(folder, pools, args.seconds):
                rows.append(row)
                _keep(found, args.out)
    print(json.dumps(found))


def _keep(found: Found, out: Path | None) -> None:
    """Write what was measured so far, which may take an hour."""
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n")


def _photographs(folder: Path) -> dict[tuple[int, int], Index]:
    """JPEG files by their grid: 2048x1024 for 256x512, and 640x480 for 480x640."""
    folder.mkdir()
    large = bench.photographs(folder, IMAGES)
    small = folder / "small"
    small.mkdir()
    for name in large.names:
        with Image.open(folder / "images" / name) as image:
            cut = image.crop((0, 0, 1365, 1024)).resize((640, 480))
            cut.save(small / name, quality=90)
    return {SMALL.size: large, LARGE.size: list_pool(small)}


def _stages(folder: Path, pools: dict[tuple[int, int], Index], seconds: float) -> Iterator[Found]:
    for size, pool in pools.items():
        for network in (HEAD_NETWORK, WHOLE):
            setting = replace(SMALL, size=size, network=network)
            print(f"\n### {network}, {setting}\n", flush=True)
            with _bare(setting, folder, PER_CORE) as ask:
                yield _bare_row(network, setting, ask)
                for stride in STRIDES:
                    graph = _graph(setting, folder, stride)
                    yield _stage_row(
                        f"{network}, stride {stride}", setting, graph, pool, ask, seconds
                    )
                for contestant in (*_in_openvino(setting, folder), *_usual(setting)):
                    yield _other_row(network, setting, contestant, ask)


def _stage_row(
    name: str, setting: Setting, graph: Path, pool: Index, ask: Ask, seconds: float
) -> Found:
    """The stages of a graph, and its kernels against the bare network before and behind it."""
    before, cost, after = ask(), _cost(graph, pool, seconds), ask()
    stages = {stage: 1e3 * value for stage, value in (cost.stages or {}).items()}
    scored = sum(stages[stage] for stage in (BACKBONE, HEAD, *AFTER))
    bare = median((before["cpu_ms"], after["cpu_ms"]))
    row: Found = {
        "setting": str(setting), "name": name, "stages": stages, "x bare": scored / bare,
        "files": cost.share, "peak_mb": (cost.peak_memory or 0) / 1e6,
        "bare_peak_mb": after["peak_mb"],
    }  # fmt: skip
    cells = " | ".join(f"{stages[stage]:.2f}" for stage in stages)
    print(f"| {' | '.join(('name', *stages, 'x bare'))} |")
    print(f"| {name} | {cells} | {scored / bare:.2f} |", flush=True)
    return row


def _bare_row(network: str, setting: Setting, ask: Ask) -> Found:
    ask()
    cpu = median(ask()["cpu_ms"] for _ in range(5))
    print(f"| {network}, bare: {cpu:.1f} CPU ms |", flush=True)
    return {"setting": str(setting), "name": f"{network}, bare", "cpu_ms": cpu}


def _in_openvino(setting: Setting, folder: Path) -> Iterator[Contestant]:
    for precision in ("float32", "bfloat16"):
        graph = _graph(setting, folder, DEFAULT)
        make = partial(bench.openvino_run, graph, precision)
        yield Contestant(f"stride {DEFAULT}, OpenVINO {precision}", make, rounds=5)


def _usual(setting: Setting) -> Iterator[Contestant]:
    """PixelPick's way and baal, of which a graph is the replacement."""
    whole = partial(contestants.pytorch, setting, "network")
    rounds = 2 if setting.size == SMALL.size else 1
    for name, make in (
        ("PyTorch, network m times", whole),
        ("baal (BALD)", partial(contestants.baal, setting)),
    ):
        yield Contestant(name, partial(bench.torch_run, make), rounds=rounds)


def _other_row(network: str, setting: Setting, contestant: Contestant, bare: Ask) -> Found:
    with bench.started(contestant, setting, PER_CORE) as ask:
        if contestant.rounds > 1:
            ask()
        pairs = [(ask(), bare()) for _ in range(contestant.rounds)]
    cpu = median(one["cpu_ms"] for one, _ in pairs)
    ratio = median(one["cpu_ms"] / plain["cpu_ms"] for one, plain in pairs)
    print(f"| {network}, {contestant.name} | {cpu:.0f} CPU ms | {ratio:.1f} x bare |", flush=True)
    return {
        "setting": str(setting), "name": f"{network}, {contestant.name}", "cpu_ms": cpu,
        "x bare": ratio, "peak_mb": max(one["peak_mb"] for one, _ in pairs),
    }  # fmt: skip


def _goals(
    folder: Path, pools: dict[tuple[int, int], Index], seconds: float
) -> Iterator[tuple[str, float]]:
    print("\n### Goals\n", flush=True)
    parts = (
        partial(_networks, folder), partial(_behind, folder, pools, seconds),
        partial(_latency, folder), partial(_starts, folder), partial(_exports, folder),
        partial(_executors, folder, pools[LARGE.size]),
    )  # fmt: skip
    for part in parts:
        for name, value in part():
            print(f"{value:7.2f}  {name}", flush=True)
            yield name, value


def _networks(folder: Path) -> Iterator[tuple[str, float]]:
    """The head at its default stride against whole networks, in turns."""
    fine = replace(SMALL, network=WHOLE)
    own = Contestant("own", partial(contestants.onnxruntime, _graph(SMALL, folder, DEFAULT)))
    whole = Contestant("whole", partial(contestants.onnxruntime, _graph(fine, folder, 1)))
    way = partial(contestants.pytorch, fine, "network")
    pytorch = Contestant("PyTorch", partial(bench.torch_run, way))
    yield "pixel head, default stride, x DeepLabV3+ at stride 1", 1 / _against(whole, own, 5)
    yield "20 passes of DeepLabV3+ in PyTorch, x pixel head", _against(pytorch, own, 2)


def _against(one: Contestant, other: Contestant, rounds: int) -> float:
    """How many times the milliseconds of `other` the contestant takes, one image per core."""
    with bench.started(one, SMALL, PER_CORE) as ask, bench.started(other, SMALL, PER_CORE) as own:
        ask(), own()
        return median(ask()["ms"] / own()["ms"] for _ in range(rounds))


def _behind(
    folder: Path, pools: dict[tuple[int, int], Index], seconds: float
) -> Iterator[tuple[str, float]]:
    """What follows the head, files against memory, and memory, at the default stride."""
    for setting in (SMALL, LARGE, MANY):
        small, graph = pools.get(setting.size), _graph(setting, folder, DEFAULT)
        pool = None if small is None else list_pool(_links(folder, small, FILES))
        own = Contestant("own", partial(contestants.onnxruntime, graph))
        with _bare(setting, folder, PER_CORE) as ask, bench.started(own, setting, PER_CORE) as run:
            ask(), run()
            whole = median(run()["cpu_ms"] / ask()["cpu_ms"] for _ in range(7))
            cost, bare = _cost(graph, pool, 3 * seconds), ask()
        stages = cost.stages or {}
        ratio = sum(stages[one] for one in AFTER) / (stages[BACKBONE] + stages[HEAD])
        yield f"passes to picks, x backbone and head, {setting}", ratio
        yield f"whole graph less bare network, x bare network, {setting}", whole - 1
        yield (
            f"peak memory, x bare network, {setting}",
            (cost.peak_memory or 0) / 1e6 / bare["peak_mb"],
        )
        if cost.share is not None:
            yield f"images/s from files, x from memory, {setting}", cost.share


def _latency(folder: Path) -> Iterator[tuple[str, float]]:
    """One image on all cores."""
    for stride in STRIDES:
        graph = _graph(SMALL, folder, stride)
        own = Contestant("own", partial(contestants.onnxruntime, graph))
        with _bare(SMALL, folder, ALL_CORES) as ask, bench.started(own, SMALL, ALL_CORES) as run:
            ask(), run()
            ratio = median(run()["ms"] / ask()["ms"] for _ in range(7))
        yield f"one image on all cores, x bare network, stride {stride}", ratio


def _starts(folder: Path) -> Iterator[tuple[str, float]]:
    """Seconds of `scorer rank` on one image beyond those in which the runtime opens and runs it."""
    graph = _graph(SMALL, folder, DEFAULT)
    one = folder / "one"
    one.mkdir()
    shutil.copy(next((folder / "pool" / "images").iterdir()), one)
    rank = ("-m", "scorer", "rank", "--pool", one, "--graph", graph, "--runtime", "cpu",
            "--out", folder / "one.csv", "--no-resume")  # fmt: skip
    bare = ("-c", _STARTED.format(graph=str(graph)))
    yield (
        "scorer rank on one image, seconds beyond the runtime's start",
        median(_seconds(*rank) - _seconds(*bare) for _ in range(7)),
    )


def _exports(folder: Path) -> Iterator[tuple[str, float]]:
    """Seconds of export onnx for a new and a known structure, and of importing PyTorch alone."""
    model = folder / "model.safetensors"
    contestants.save_model(SMALL, model)
    out = folder / "exported.onnx"
    command = ("-m", "export", "onnx", "--model", model, "--out", out)
    new, known, alone = [], [], []
    for _ in range(3):
        out.unlink(missing_ok=True)
        new.append(_seconds(*command))
        known.append(_seconds(*command))
        alone.append(_seconds("-c", "import torch"))
    yield "export onnx, new structure, seconds", median(new)
    yield "export onnx, known structure, seconds", median(known)
    yield "import torch, seconds", median(alone)


def _executors(folder: Path, pool: Index) -> Iterator[tuple[str, float]]:
    """Images/s of two workers against two threads of one process; starts are subtracted."""
    graph = _graph(LARGE, folder, DEFAULT)
    ways = {
        "processes": ("--executor", "processes", "--workers", "2", "--threads", "1"),
        "ray": ("--executor", "ray", "--workers", "2", "--threads", "1"),
    }
    rate = partial(_rate, folder, pool, graph)
    for name, words in ways.items():
        ratios = [rate(words) / rate(("--threads", "2")) for _ in range(2)]
        yield f"images/s of 2 workers, {name}, x 2 threads of one process", median(ratios)


def _rate(folder: Path, pool: Index, graph: Path, words: tuple[str, ...]) -> float:
    """Images/s between a small and a large pool of links."""
    times = {}
    for count in (IMAGES // 2, 2 * IMAGES):
        links = _links(folder, pool, count)
        times[count] = _seconds(
            "-m", "scorer", "rank", "--pool", links, "--graph", graph, "--runtime", "cpu",
            "--out", folder / "links.csv", "--no-resume", "--shard", "8", *words,
        )  # fmt: skip
    (few, short), (many, long) = times.items()
    return (many - few) / (long - short)


def _links(folder: Path, pool: Index, count: int) -> Path:
    """A folder of `count` links to the files of a pool, each several times."""
    links = folder / "-".join((*Path(pool.where).parts[-2:], str(count)))
    if not links.is_dir():
        links.mkdir()
        for index in range(count):
            source = Path(pool.where) / pool.names[index % len(pool)]
            os.link(source, links / f"{index:05}.jpg")
    return links


def _seconds(*words: object) -> float:
    begin = perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, words)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit status {done.returncode}\n{done.stderr}")
    return perf_counter() - begin


def _cost(graph: Path, pool: Index | None, seconds: float) -> Cost:
    plan = Measurement(
        graph=graph, runtime="cpu", precision="float32", workers=cores(), seconds=seconds,
        pool=pool,
    )  # fmt: skip
    return measure(plan)


def _bare(setting: Setting, folder: Path, mode: str) -> AbstractContextManager[Ask]:
    path = bench.file(folder, setting, f"{setting.network}-plain")
    if not path.is_file():
        contestants.bake_plain(setting, path)
    plain = Contestant(PLAIN, partial(contestants.onnxruntime, path))
    return bench.started(plain, setting, mode)


def _graph(setting: Setting, folder: Path, stride: int) -> Path:
    path = bench.file(folder, setting, f"{setting.network}-stride{stride}")
    if not path.is_file():
        contestants.bake(setting, path, stride=stride)
    return path


if __name__ == "__main__":
    main()
