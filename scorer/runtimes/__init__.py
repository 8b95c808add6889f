"""The runtimes that can open a scoring graph, by name."""

from importlib.util import find_spec
from pathlib import Path

from scorer.errors import BadInput, MissingDependency
from scorer.runtimes import cpu, cuda, openvino, tensorrt
from scorer.runtimes.base import Installed, Runtime
from scorer.runtimes.sidecar import SUFFIX

PRECISIONS = ("float32", "bfloat16")

NAMES = ("cuda", "cpu", "openvino", "ort-tensorrt", "tensorrt")
# What "auto" takes, fastest first (docs/benchmarks.md). TensorRT is asked for: it builds first.
AUTO = NAMES[:3]
# Those that need no GPU, with the module of each.
ON_CPU = {"cpu": "onnxruntime", "openvino": "openvino"}


def present() -> list[str]:
    """The runtimes that "auto" can take here, fastest first."""
    return [name for name in AUTO if _installed(name)]


def choose(name: str, precision: str = "float32", graph: Path | None = None) -> str:
    """The runtime that `name` means on this machine; "auto" is the fastest that can be had."""
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
    """Import a runtime; raises MissingDependency where its package or its GPU is absent."""
    if name in cuda.PROVIDERS:
        return cuda.examine(name)
    if name == "openvino":
        return openvino.examine()
    return tensorrt.examine() if name == "tensorrt" else cpu.examine()


def open_graph(name: str, path: Path, *, workers: int, precision: str = "float32") -> Runtime:
    """Open a scoring graph in a runtime, for so many calls at a time."""
    if name == "openvino":
        return openvino.OpenVino(path, workers=workers, precision=precision)
    if name == "tensorrt":
        return tensorrt.TensorRt(path, workers=workers)
    if name in cuda.PROVIDERS:
        return cuda.OnnxRuntimeGpu(path, workers=workers, provider=name)
    return cpu.OnnxRuntime(path, workers=workers)


def _installed(name: str) -> bool:
    """Whether a runtime is here; those of the CPU are not imported for it, which takes long."""
    try:
        if name in ON_CPU:
            return find_spec(ON_CPU[name]) is not None
        cuda.examine(name)
    except (ImportError, MissingDependency):
        return False
    return True
