"""Check every runtime against PyTorch on the CPU, then measure their speed on the GPU.

What cannot run is listed with its reason. The table is printed to stdout, with JSON as last line.

scripts/gpu                       256x512, 19 classes, batches of 8
scripts/gpu --batch 16 --seconds 10
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import bench
import contestants
import numpy as np
from contestants import Image, Setting

from scorer.errors import MissingDependency, NoGpu
from scorer.plain import OUTPUTS
from scorer.pools import Index, list_pool
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.shard import Criteria
from scorer.runtimes import cuda, doctor, gpu, sidecar
from scorer.runtimes.base import Runtime

if TYPE_CHECKING:
    from export.builder import EngineOptions
    from scorer.runtimes.tensorrt import Lane

SETTING = Setting((256, 512), 19)
SMALL = Setting((96, 128), 5, passes=4)  # for the parity checks, which the CPU computes, too
PYTORCH = {
    "bare": "bare network",
    "network": "network m times",
    "layer": "last layer m times",
    "compiled": "last layer m times, torch.compile",
    "graphs": "last layer m times, CUDA graphs",
}
PRECISIONS = ("float32", "float16")
WORKERS = 2  # one prepares data while the other computes


@dataclass(frozen=True)
class Row:
    """The row of a contestant: ms per image if timed; the finding, or why it did not run."""

    name: str
    ms: float | None
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each contestant")
    asked = parser.parse_args()
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")  # float32 means float32 in every row
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row in chain(
            parity(folder), plain_parity(folder), speed(folder, asked.batch, asked.seconds)
        ):
            ms = "" if row.ms is None else f"{row.ms:10.3f} ms/image"
            print(f"| {row.name:<44} | {ms:<20} | {row.said}", flush=True)
            rows.append(row)
    failed = any(row.said.startswith("FAIL") for row in rows)
    print(json.dumps(_about() | {"batch": asked.batch, "rows": [asdict(row) for row in rows]}))
    sys.exit(1 if failed else 0)


def guarded(name: str, rows: Callable[..., Iterator[Row]], *arguments: object) -> Iterator[Row]:
    """Yield the rows of a contestant; a missing dependency is a skip, any other error a failure,
    and the next contestant runs.
    """
    try:
        yield from rows(*arguments)
    except MissingDependency as error:
        yield Row(name, None, f"skipped: {error}")
    except Exception as error:  # runtimes' exceptions have no common base class
        said = (str(error).strip() or "no message").splitlines()[0]
        yield Row(name, None, f"FAIL: {type(error).__name__}: {said}")


def parity(folder: Path) -> Iterator[Row]:
    """The findings of `export verify` for every runtime, against PyTorch in float32 on the CPU."""
    pool = _drawn(folder / "streets")
    for precision in PRECISIONS:
        graph = folder / f"parity-{precision}.onnx"
        contestants.bake(SMALL, graph, target="gpu", precision=precision)
        for found in doctor.examine():
            name = f"parity {found.runtime} {precision}"
            if found.runtime == "tensorrt":
                continue  # engines are checked below
            if not found.ready:
                yield Row(name, None, f"skipped: {found.detail}")
            else:
                yield from guarded(name, _parity, name, found.runtime, graph, pool)
        for flavour in sidecar.FLAVOURS:
            name, built = f"parity {flavour} {precision}", graph.with_suffix(f".{flavour}.engine")
            yield from guarded(name, _built, name, flavour, graph, built, pool)


def plain_parity(folder: Path) -> Iterator[Row]:
    """The findings of `export verify` for plain networks."""
    pool = list_pool(folder / "streets" / "images")
    for output in OUTPUTS:
        graph = folder / f"plain-{output}.onnx"
        contestants.bake_deployed(SMALL, graph, output)
        for found in doctor.examine():
            name = f"parity {found.runtime} plain {output}"
            if found.runtime == "tensorrt":
                continue
            if not found.ready:
                yield Row(name, None, f"skipped: {found.detail}")
            else:
                yield from guarded(name, _plain_parity, name, found.runtime, graph, pool)
        for flavour in sidecar.FLAVOURS:
            name, built = (
                f"parity {flavour} plain {output}",
                graph.with_suffix(f".{flavour}.engine"),
            )
            yield from guarded(name, _plain_built, name, flavour, graph, built, pool)


def _plain_built(name: str, flavour: str, graph: Path, out: Path, pool: Index) -> Iterator[Row]:
    from export import builder, engine

    engine.build(graph, out, builder.EngineOptions(flavour=flavour, batch=(1, 2, 4)))
    yield from _plain_parity(name, "tensorrt", out, pool)


def _plain_parity(name: str, runtime: str, graph: Path, pool: Index) -> Iterator[Row]:
    from export.plain_verification import verify
    from scorer.segmentation.network import open_network

    opened = open_network(runtime, graph, workers=1)
    verdict = verify(graph, opened, contestants.network_of(SMALL), pool, images=len(pool))
    judged = f"FAIL: {'; '.join(verdict.failures)}" if verdict.failures else "PASS"
    yield Row(name, None, f"{judged}; {verdict.classes:.4%} of the classes")


def _built(name: str, flavour: str, graph: Path, out: Path, pool: Index) -> Iterator[Row]:
    from export import builder, engine

    engine.build(graph, out, builder.EngineOptions(flavour=flavour, batch=(1, 2, 4)))
    yield from _parity(name, "tensorrt", out, pool)


def _parity(name: str, runtime: str, graph: Path, pool: Index) -> Iterator[Row]:
    from export.verification import tolerance_of, verify
    from scorer.runtimes import open_graph

    opened = open_graph(runtime, graph, workers=1)
    verdict = verify(
        graph,
        opened,
        contestants.network_of(SMALL),
        pool,
        images=len(pool),
        tolerance=tolerance_of("float32", opened.contract),
    )
    judged = f"FAIL: {'; '.join(verdict.failures)}" if verdict.failures else "PASS"
    yield Row(
        name,
        None,
        f"{judged}; {_of_map(verdict.map_difference)}, regret {verdict.regret:.1e}",
    )


def _of_map(difference: float | None) -> str:
    return "no pixel of the map compared" if difference is None else f"map off by {difference:.1e}"


def _drawn(folder: Path) -> Index:
    """A pool of a few drawn streets."""
    subprocess.run(
        [sys.executable, Path(__file__).parent / "streets.py", folder, "--train", "4", "--val", "1",
         "--size", "96x128"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return list_pool(folder / "images")


def speed(folder: Path, batch: int, seconds: float) -> Iterator[Row]:
    """Speed on the GPU of the network alone, of network and scoring, and of methods in PyTorch."""
    try:
        card = gpu.find()
    except NoGpu as error:
        yield Row("speed", None, f"skipped: {error}")
        return
    yield Row("GPU", None, f"{card.name}, {card.architecture}")
    yield from _of_pytorch(batch, seconds)
    photographs = bench.photographs(folder / "pool", 200)
    for precision in PRECISIONS:
        graph = folder / f"speed-{precision}.onnx"
        contestants.bake(SETTING, graph, target="gpu", precision=precision)
        plain = folder / f"plain-{precision}.onnx"
        contestants.bake_plain(SETTING, plain, batch=batch, precision=precision)
        race = Race(precision, batch, seconds, photographs, folder / "ranking.csv")
        for name in cuda.PROVIDERS:
            yield from guarded(f"{name} {precision}", _of_onnxruntime, name, graph, plain, race)
        for flavour in sidecar.FLAVOURS:
            yield from guarded(f"{flavour} {precision}", _of_engine, flavour, graph, plain, race)


@dataclass(frozen=True)
class Race:
    """What every runtime is timed with: batches in memory, and a pool of JPEG files."""

    precision: str
    batch: int
    seconds: float
    pool: Index
    ranking: Path

    def bare(self, name: str, run: Callable[[Image], object]) -> Row:
        """The network alone, and its share of the GPU's arithmetic."""
        image = np.zeros((self.batch, *SETTING.size, 3), np.uint8)
        ms = _timed(lambda: run(image), self.batch, self.seconds)
        return Row(f"{name} {self.precision}, bare network", ms, _arithmetic(ms))

    def scoring(self, name: str, opened: Runtime, bare: float | None) -> Iterator[Row]:
        """Network and scoring: from memory, relative to the bare network; and from files."""
        image = np.zeros((self.batch, *SETTING.size, 3), np.uint8)
        exclude = np.zeros((self.batch, *SETTING.size), np.uint8)
        ms = _timed(lambda: opened.run(image, exclude), self.batch, self.seconds)
        beside = "" if bare is None else f"{ms / bare:.2f} x bare, {_traffic(ms - bare)}"
        yield Row(f"{name} {self.precision}, network and scoring", ms, beside)
        begin = perf_counter()
        rank_to_file(
            Run(
                opened,
                self.pool,
                self.ranking,
                RankOptions(criteria=Criteria(batch=self.batch), resume=False),
            )
        )
        took = 1e3 * (perf_counter() - begin) / len(self.pool)
        said = (
            f"{1e3 / took:.0f} images/s from JPEG files of 2048x1024, {ms / took:.0%} of memory's"
        )
        yield Row(f"{name} {self.precision}, from files", took, said)


def _of_onnxruntime(name: str, graph: Path, plain: Path, race: Race) -> Iterator[Row]:
    opened = cuda.OnnxRuntimeGpu(graph, workers=WORKERS, provider=name)
    session = cuda.open_session(plain, (cuda.PROVIDERS[name], cuda.EXACT[name]))
    bare = race.bare(name, lambda image: _left_there(session, image))
    yield bare
    yield from race.scoring(name, opened, bare.ms)


def _left_there(session: Any, image: Image) -> None:
    """Run a bare network whose logits stay on the GPU, as the input of the scoring does."""
    binding = session.io_binding()
    binding.bind_cpu_input("image", image)
    binding.bind_output(session.get_outputs()[0].name, "cuda")
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()


def _of_engine(flavour: str, graph: Path, plain: Path, race: Race) -> Iterator[Row]:
    from export import builder, engine
    from scorer.runtimes.tensorrt import TensorRt

    out = graph.with_suffix(f".{flavour}.engine")
    options = builder.EngineOptions(flavour=flavour, batch=(1, race.batch, race.batch))
    engine.build(graph, out, options)
    opened, lane = TensorRt(out, workers=WORKERS), _lane(plain, options)
    bare = race.bare(flavour, lambda image: lane.run({"image": image}, []))
    yield bare
    yield from race.scoring(flavour, opened, bare.ms)


def _lane(plain: Path, options: "EngineOptions") -> "Lane":
    """A bare network as an engine whose logits stay on the GPU."""
    import onnx

    from export import builder
    from scorer.runtimes import tensorrt

    trt = tensorrt.package(options.flavour)
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    opened = runtime.deserialize_cuda_engine(builder.compiled(plain, options).data)
    graph = onnx.load(plain).graph
    tensors = {entry.name: entry.type.tensor_type for entry in (*graph.input, *graph.output)}
    shapes = {
        name: tuple(side.dim_value for side in kind.shape.dim[1:]) for name, kind in tensors.items()
    }
    kinds = {
        name: onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
        for name, kind in tensors.items()
    }
    return tensorrt.Lane(opened, shapes, kinds, options.batch[2])


def _arithmetic(ms: float) -> str:
    """Multiplications and additions of the bare network per second, counted by PyTorch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = contestants.network_of(SETTING)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, *SETTING.size, 3, dtype=torch.uint8))
    return f"{counter.get_total_flops() / ms / 1e9:.1f} TFLOP/s"


def _traffic(ms: float) -> str:
    """Least memory traffic of the scoring per second: features in, and a map out."""
    height, width = SETTING.size
    moved = 4 * height * width * (256 / 16 + 1)  # 256 float32 features at a quarter of the sides
    return f"scoring alone {ms:.3f} ms, at least {moved / max(ms, 1e-9) / 1e6:.0f} GB/s"


def _of_pytorch(batch: int, seconds: float) -> Iterator[Row]:
    import torch

    if not torch.cuda.is_available():
        yield Row("PyTorch", None, "skipped: this build of PyTorch finds no GPU")
        return
    torch.backends.cudnn.allow_tf32 = False
    image = np.zeros((batch, *SETTING.size, 3), np.uint8)
    taken: dict[str, float] = {}

    def timed(kind: str, name: str) -> Iterator[Row]:
        run = contestants.pytorch(SETTING, kind, device="cuda")
        taken[kind] = ms = _timed(lambda: run(image), batch, seconds)
        yield Row(name, ms, f"{ms / taken['bare']:.1f} x bare" if "bare" in taken else "")

    for kind, what in PYTORCH.items():
        name = f"PyTorch float32, {what}"
        yield from guarded(name, timed, kind, name)
    yield from guarded("ceilings", _ceilings)


def _ceilings() -> Iterator[Row]:
    """The GPU's limits for the two resources that bound a graph."""
    import torch

    side = 8192
    for precision in PRECISIONS:
        square = torch.ones(side, side, dtype=getattr(torch, precision), device="cuda")

        def product(square: torch.Tensor = square) -> None:
            square @ square
            torch.cuda.synchronize()

        rate = 2 * side**3 / _timed(product, 1, 2) / 1e9
        yield Row("ceiling", None, f"{rate:.0f} TFLOP/s of {precision}")

    def copy() -> None:
        square.clone()
        torch.cuda.synchronize()

    # read and written, two bytes each
    yield Row("ceiling", None, f"{4 * side**2 / _timed(copy, 1, 2) / 1e6:.0f} GB/s of memory")


def _timed(run: Callable[[], object], batch: int, seconds: float) -> float:
    """Median ms per image."""
    for _ in range(3):
        run()
    times: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or not times:
        begin = perf_counter()
        run()
        times.append(1e3 * (perf_counter() - begin) / batch)
    return median(times)


def _about() -> dict[str, object]:
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "runtimes": [asdict(found) for found in doctor.examine()],
    }


if __name__ == "__main__":
    main()
