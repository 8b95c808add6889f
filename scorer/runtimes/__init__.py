"""The table of runtimes that open scoring graphs, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scorer.contract import Contract
from scorer.errors import BadInput, MissingDependency
from scorer.plain import PlainContract
from scorer.runtimes import cpu, cuda, openvino, sidecar, tensorrt
from scorer.runtimes.base import Installed, Runtime, any_contract, check_file
from scorer.runtimes.sidecar import SUFFIX

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of the table of runtimes.

    open(path, workers, precision): opens a graph. examine: imports the runtime; raises
    MissingDependency if its package or GPU is missing. module: its package, if it needs no GPU.
    auto: whether "auto" may choose it; TensorRT must be requested, because it builds an engine
    first.
    """

    open: Callable[[Path, int, str], Runtime]
    examine: Callable[[], Installed]
    module: str = ""
    auto: bool = True


# Fastest first (docs/benchmarks.md).
KINDS = {
    "cuda": Kind(
        open=lambda path, workers, _: cuda.OnnxRuntimeGpu(path, workers=workers, provider="cuda"),
        examine=lambda: cuda.examine("cuda"),
    ),
    "cpu": Kind(
        open=lambda path, workers, _: cpu.OnnxRuntime(path, workers=workers),
        examine=cpu.examine,
        module="onnxruntime",
    ),
    "openvino": Kind(
        open=lambda path, workers, precision: openvino.OpenVino(
            path, workers=workers, precision=precision
        ),
        examine=openvino.examine,
        module="openvino",
    ),
    "ort-tensorrt": Kind(
        open=lambda path, workers, _: cuda.OnnxRuntimeGpu(
            path, workers=workers, provider="ort-tensorrt"
        ),
        examine=lambda: cuda.examine("ort-tensorrt"),
        auto=False,
    ),
    "tensorrt": Kind(
        open=lambda path, workers, _: tensorrt.TensorRt(path, workers=workers),
        examine=tensorrt.examine,
        auto=False,
    ),
}
NAMES = tuple(KINDS)
AUTO = tuple(name for name, kind in KINDS.items() if kind.auto)
ON_CPU = tuple(name for name, kind in KINDS.items() if kind.module)


def present() -> list[str]:
    """The runtimes that "auto" can choose on this machine, fastest first."""
    return [name for name in AUTO if _installed(name)]


def choose(name: str, precision: str = "float32", graph: Path | None = None) -> str:
    """The runtime for `name` on this machine; "auto" chooses the fastest available.

    Raises BadInput for a runtime that does not open the graph, MissingDependency if there is none.
    """
    is_engine = name == "tensorrt" if graph is None else graph.suffix == SUFFIX
    if name != "auto" and is_engine != (name == "tensorrt"):
        raise BadInput(
            f"--runtime {name} does not open {graph}",
            remedy="TensorRT opens engines (*.engine), all others open graphs (*.onnx)",
        )
    if is_engine:
        return "tensorrt"
    if precision == "bfloat16":
        if name not in ("auto", "openvino"):
            raise BadInput(
                f"--runtime {name} takes the precision of the graph",
                remedy="choose --runtime openvino, or export with --precision bf16",
            )
        return "openvino"
    if name != "auto":
        return name
    if not (found := present()):
        raise MissingDependency(
            "ranking needs a runtime, ONNX Runtime or OpenVINO, and none is installed",
            remedy="pip install 'balentacq[cpu]', or see: scorer doctor",
        )
    return found[0]


def examine(name: str) -> Installed:
    """Import a runtime. Raises MissingDependency if its package or GPU is missing."""
    return KINDS[name].examine()


def open_graph(name: str, path: Path, *, workers: int, precision: str = "float32") -> Runtime:
    """Open a scoring graph in a runtime, for `workers` calls at a time."""
    return KINDS[name].open(path, workers, precision)


def contract_of(path: Path) -> Contract | PlainContract:
    """The contract of a scoring graph or plain network, or of an engine, from its sidecar.

    Raises BadGraph, MissingDependency.
    """
    check_file(path)
    if path.suffix == SUFFIX:
        return sidecar.read(path, path.read_bytes()).contract
    on_cpu = next((name for name in ON_CPU if _installed(name)), "cpu")
    metadata = openvino.metadata_of(path) if on_cpu == "openvino" else cpu.metadata_of(path)
    found = any_contract(metadata, path)
    if isinstance(found, Contract):
        open_graph(on_cpu, path, workers=1)  # checks that its tensors fit the contract
    return found


def _installed(name: str) -> bool:
    """Whether a runtime is installed; CPU runtimes are not imported, as this takes long."""
    kind = KINDS[name]
    try:
        if kind.module:
            return find_spec(kind.module) is not None
        kind.examine()
    except (ImportError, MissingDependency):
        return False
    return True
