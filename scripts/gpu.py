"""Parity of every runtime that is here with PyTorch on the CPU, then their speed on the GPU.

What cannot run is named with its reason. The table comes on stdout, its last line is JSON.

scripts/gpu                       256x512, 19 classes, batches of 8
scripts/gpu --batch 16 --seconds 10
"""

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

import contestants
import numpy as np
from contestants import Setting

from scorer import doctor, gpu, sidecar
from scorer.errors import Failure, NoGpu

SETTING = Setting((256, 512), 19)
PRECISIONS = ("float32", "float16")


@dataclass(frozen=True)
class Row:
    """One contestant: ms per image where it was timed; what was found or why it did not run."""

    name: str
    ms: float | None
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each contestant")
    asked = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row in (*parity(folder), *speed(folder, asked.batch, asked.seconds)):
            ms = "" if row.ms is None else f"{row.ms:10.3f} ms/image"
            print(f"| {row.name:<44} | {ms:<20} | {row.said}", flush=True)
            rows.append(row)
    print(json.dumps(_about() | {"batch": asked.batch, "rows": [asdict(row) for row in rows]}))


def parity(folder: Path) -> Iterator[Row]:
    """Largest difference of the map and regret, against PyTorch in float32 on the CPU."""
    small = Setting((64, 96), 5, passes=4)
    from export import engine

    for precision in PRECISIONS:
        graph = folder / f"parity-{precision}.onnx"
        contestants.bake(small, graph, target="gpu", precision=precision)
        for found in doctor.examine():
            name = f"parity {found.runtime} {precision}"
            if found.runtime == "tensorrt":
                continue  # it opens engines: below
            if not found.ready:
                yield Row(name, None, f"skipped: {found.detail}")
            else:
                yield _parity(name, found.runtime, graph, small)
        for flavour in sidecar.FLAVOURS:
            name, built = f"parity {flavour} {precision}", graph.with_suffix(f".{flavour}.engine")
            try:
                engine.build(graph, built, engine.Options(flavour=flavour, batch=(1, 2, 4)))
            except Failure as error:
                yield Row(name, None, f"skipped: {error}")
            else:
                yield _parity(name, "tensorrt", built, small)


def _parity(name: str, runtime: str, graph: Path, setting: Setting) -> Row:
    import torch

    from export.graph import reference
    from scorer.runtimes import open_graph

    try:
        opened = open_graph(runtime, graph, workers=1)
        image = np.random.default_rng(0).integers(0, 256, (2, *setting.size, 3), np.uint8)
        exclude = np.zeros((2, *opened.contract.map), np.uint8)
        found = opened.run(image, exclude, want_map=True)
    except Failure as error:
        return Row(name, None, f"skipped: {error}")
    with torch.inference_mode():
        module = reference(contestants.network_of(setting), opened.contract)
        expected = module(torch.from_numpy(image), torch.from_numpy(exclude))
    assert found.map is not None
    off = float(np.abs(found.map - expected.map.numpy()).max())
    flat = expected.map.flatten(1).numpy()
    picked = found.pixel[..., 0] * opened.contract.map[1] + found.pixel[..., 1]
    least = np.sort(flat, axis=1)[:, -picked.shape[1]]
    regret = float((least - np.take_along_axis(flat, picked, axis=1).min(axis=1)).max())
    return Row(name, None, f"map differs by {off:.1e}, regret {max(regret, 0):.1e}")


def speed(folder: Path, batch: int, seconds: float) -> Iterator[Row]:
    """Network alone beside network and scoring, and PyTorch's ways, on the GPU."""
    try:
        card = gpu.find()
    except NoGpu as error:
        yield Row("speed", None, f"skipped: {error}")
        return
    yield Row("GPU", None, f"{card.name}, {card.architecture}")
    yield from _of_pytorch(batch, seconds)
    for precision in PRECISIONS:
        graph = folder / f"speed-{precision}.onnx"
        contestants.bake(SETTING, graph, target="gpu", precision=precision)
        plain = folder / f"plain-{precision}.onnx"
        contestants.bake_plain(SETTING, plain, batch=batch, precision=precision)
        yield from _of_onnxruntime(graph, plain, precision, batch, seconds)
        yield from _of_engines(graph, precision, batch, seconds)


def _of_onnxruntime(
    graph: Path, plain: Path, precision: str, batch: int, seconds: float
) -> Iterator[Row]:
    from scorer.runtimes import cuda

    image = np.zeros((batch, *SETTING.size, 3), np.uint8)
    exclude = np.zeros((batch, *SETTING.size), np.uint8)
    for name, provider in cuda.PROVIDERS.items():
        try:
            opened = cuda.OnnxRuntimeGpu(graph, workers=1, provider=name)
            session = cuda.open_session(plain, (provider, {"use_tf32": "0"}))
        except Failure as error:
            yield Row(f"{name} {precision}", None, f"skipped: {error}")
            continue
        bare = _timed(lambda s=session: s.run(None, {"image": image}), batch, seconds)
        ours = _timed(lambda o=opened: o.run(image, exclude), batch, seconds)
        yield Row(f"{name} {precision}, bare network", bare, "")
        yield Row(f"{name} {precision}, network and scoring", ours, f"{ours / bare:.2f} x bare")


def _of_engines(graph: Path, precision: str, batch: int, seconds: float) -> Iterator[Row]:
    from export import engine
    from scorer.runtimes.tensorrt import TensorRt

    image = np.zeros((batch, *SETTING.size, 3), np.uint8)
    exclude = np.zeros((batch, *SETTING.size), np.uint8)
    for flavour in sidecar.FLAVOURS:
        out = graph.with_suffix(f".{flavour}.engine")
        try:
            engine.build(graph, out, engine.Options(flavour=flavour, batch=(1, batch, batch)))
            opened = TensorRt(out, workers=1)
        except Failure as error:
            yield Row(f"{flavour} {precision}", None, f"skipped: {error}")
            continue
        ours = _timed(lambda o=opened: o.run(image, exclude), batch, seconds)
        yield Row(f"{flavour} {precision}, network and scoring", ours, "")


def _of_pytorch(batch: int, seconds: float) -> Iterator[Row]:
    import torch

    if not torch.cuda.is_available():
        yield Row("PyTorch", None, "skipped: this build of PyTorch finds no GPU")
        return
    network = contestants.network_of(SETTING).cuda().eval()
    image = torch.zeros(batch, *SETTING.size, 3, dtype=torch.uint8, device="cuda")

    @torch.inference_mode()
    def bare() -> None:
        network.classifier(network.features(image))
        torch.cuda.synchronize()

    @torch.inference_mode()
    def passes() -> None:
        for _ in range(SETTING.passes):
            logits = network.classifier(network.dropout.train()(network.features(image)))
            torch.nn.functional.interpolate(logits, SETTING.size, mode="bilinear").softmax(1)
        torch.cuda.synchronize()

    alone = _timed(bare, batch, seconds)
    yield Row("PyTorch float32, bare network", alone, "")
    many = _timed(passes, batch, seconds)
    yield Row("PyTorch float32, network m times", many, f"{many / alone:.1f} x bare")
    yield from _ceilings(torch)


def _ceilings(torch: object) -> Iterator[Row]:
    """What the card reaches in the two things that bound a graph."""
    side, torch_ = 8192, torch
    left = torch_.ones(side, side, dtype=torch_.float16, device="cuda")  # type: ignore[attr-defined]

    def product() -> None:
        left @ left
        torch_.cuda.synchronize()  # type: ignore[attr-defined]

    def copy() -> None:
        left.clone()
        torch_.cuda.synchronize()  # type: ignore[attr-defined]

    yield Row(
        "ceiling", None, f"{2 * side**3 / _timed(product, 1, 2) / 1e9:.0f} TFLOP/s of float16"
    )
    yield Row("ceiling", None, f"{4 * side**2 / _timed(copy, 1, 2) / 1e6:.0f} GB/s of memory")


def _timed(run: Callable[[], object], batch: int, seconds: float) -> float:
    """Median ms per image."""
    for _ in range(3):
        run()
    times, end = [], perf_counter() + seconds
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
