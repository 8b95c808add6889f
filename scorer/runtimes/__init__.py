"""The runtimes that can open a scoring graph, by name."""

from importlib.util import find_spec
from pathlib import Path

from scorer.errors import BadInput, MissingDependency
from scorer.runtime import Engine, Runtime
from scorer.runtimes import cpu, openvino

PRECISIONS = ("float32", "bfloat16")

# The module that each needs, fastest first (docs/benchmarks.md).
MODULES = {"cpu": "onnxruntime", "openvino": "openvino"}
NAMES = tuple(MODULES)


def present() -> list[str]:
    """The runtimes whose packages are installed, fastest first."""
    return [name for name, module in MODULES.items() if _installed(module)]


def choose(name: str, precision: str = "float32") -> str:
    """The runtime that `name` means on this machine; "auto" is the fastest that can be had."""
    if precision == "bfloat16":
        if name not in ("auto", "openvino"):
            raise BadInput(
                f"--runtime {name} computes in float32 only", remedy="choose --runtime openvino"
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


def examine(name: str) -> Engine:
    """Import a runtime; raises MissingDependency where its package is absent or broken."""
    return openvino.examine() if name == "openvino" else cpu.examine()


def open_graph(name: str, path: Path, *, workers: int, precision: str = "float32") -> Runtime:
    """Open a scoring graph in a runtime, for so many calls at a time."""
    if name == "openvino":
        return openvino.OpenVino(path, workers=workers, precision=precision)
    return cpu.OnnxRuntime(path, workers=workers)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
