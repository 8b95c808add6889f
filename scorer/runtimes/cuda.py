"""The runtime ONNX Runtime on a GPU, with its CUDA provider, or its TensorRT provider and an engine
cache.
"""

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from scorer.errors import BadInput, Failure, MissingDependency
from scorer.files import cannot_write
from scorer.runtimes import cpu, gpu
from scorer.runtimes.base import (
    Described,
    Feeds,
    Installed,
    Scores,
    asked,
    cannot_open,
    check_file,
    fed,
)

PROVIDERS = {"cuda": "CUDAExecutionProvider", "ort-tensorrt": "TensorrtExecutionProvider"}
# The precision is that of the graph: TensorRT's provider would also reduce the tail's. It uses TF32
# unless the environment variable forbids it; the CUDA provider has an option for that.
EXACT = {
    "cuda": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    "ort-tensorrt": {"trt_fp16_enable": "0"},
}
_TF32 = "NVIDIA_TF32_OVERRIDE"
# Operators that may run on the CPU where a graph computes shapes.
_OF_SHAPES = frozenset((
    "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Expand", "Gather", "Identity",
    "Mul", "Range", "Reshape", "Shape", "Slice", "Squeeze", "Sub", "Unsqueeze",
))  # fmt: skip
# Not allowed on the CPU in a graph that computes no shapes.
_ARITHMETIC = frozenset(("Add", "Cast", "Div", "Expand", "Mul", "Sub"))
_MOST = 32  # largest batch of ort-tensorrt's engines, if tensors of that size are possible
_MOST_ELEMENTS = 2**31  # limit of a tensor in TensorRT
_AT_ONCE = 8  # size of a graph's largest tensor, in multiples of a map of all classes
# Relu of one number: an ONNX graph that tests whether a provider's libraries load.
_TINY = (
    b'\x08\x08\x12\x00:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01pZ\x0f\n\x01x\x12\n\n\x08\x08'
    b"\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x12"
)
LANES = 2  # sessions: one computes while the other copies; further workers prepare images


Found = TypeVar("Found", bound=Described)


class GpuSessions(Generic[Found]):
    """A graph on the GPU, with a few sessions that compute whole batches.

    Only requested outputs are copied from the GPU. contract_in: reads the contract from a session.
    """

    def __init__(
        self, path: Path, contract_in: Callable[[Any, Path], Found], *, workers: int, provider: str
    ) -> None:
        examine(provider)
        card = gpu.find()
        plain = open_session(path, (PROVIDERS["cuda"], EXACT["cuda"]))
        self.contract = contract_in(plain, path)
        self.name = f"{provider} {self.contract.precision} on {card.name}"
        self.workers = workers
        self._most = None if provider == "cuda" else most(self.contract)
        self._free: SimpleQueue[Any] = SimpleQueue()
        if provider == "cuda":
            self._free.put(plain)
        chosen = (PROVIDERS[provider], options_of(provider, self.contract, card))
        for _ in range(min(workers, LANES) - self._free.qsize()):
            self._free.put(open_session(path, chosen))

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        images = len(next(iter(feeds.values())))
        if self._most is not None and images > self._most:
            raise BadInput(
                f"{images} images at a time; this graph's engines are built for {self._most}",
                remedy=f"choose --batch {self._most} or less",
            )
        session = self._free.get()
        try:
            binding = session.io_binding()
            for name, values in feeds.items():
                binding.bind_cpu_input(name, np.ascontiguousarray(values))
            for name in wanted:
                binding.bind_output(name, "cpu")
            session.run_with_iobinding(binding)
            return list(binding.copy_outputs_to_cpu())
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise Failure(
                f"{self.name}: {str(error).strip().splitlines()[0]}",
                remedy="is the GPU's memory full? choose a smaller --batch, or --threads 1",
            ) from error
        finally:
            self._free.put(session)


class OnnxRuntimeGpu:
    """A scoring graph on the GPU."""

    def __init__(self, path: Path, *, workers: int, provider: str) -> None:
        check_file(path)
        self._sessions = GpuSessions(path, cpu.contract_in, workers=workers, provider=provider)
        self.contract, self.name = self._sessions.contract, self._sessions.name
        self.workers = workers

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        feeds = fed(self.contract, image, exclude, noise)
        return Scores(*self._sessions.run(feeds, asked(want_map)))


def examine(provider: str) -> Installed:
    """The installed provider, with its libraries loaded. Raises MissingDependency, NoGpu."""
    found = cpu.examine()
    import onnxruntime  # noqa: PLC0415

    if PROVIDERS[provider] not in onnxruntime.get_available_providers():
        extra = "gpu" if provider == "cuda" else "ort-tensorrt"
        raise MissingDependency(
            f"this {found.version} has no {PROVIDERS[provider]}",
            remedy=f"pip uninstall onnxruntime; pip install 'balentacq[{extra}]'",
        )
    card = gpu.find()
    _load_libraries(provider)
    return Installed(f"{found.version} on {card.name}", ("float32",))


@cache
def _load_libraries(provider: str) -> None:
    """Load the libraries of the packages `nvidia-*` and `tensorrt`, and check that they work."""
    import onnxruntime  # noqa: PLC0415

    if provider == "ort-tensorrt":
        os.environ.setdefault(_TF32, "0")  # read once, before anything is computed
        with suppress(ImportError):
            import tensorrt  # noqa: F401, PLC0415  # loads its libraries
    with redirect_stdout(io.StringIO()):  # it prints missing libraries
        onnxruntime.preload_dlls(directory="")
    # cuDNN logs an error when it rejects an execution plan, and then uses another.
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(_TINY, options, providers=[PROVIDERS[provider]])
        loaded = session.get_providers()[0]
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        loaded = str(error).strip().splitlines()[0]
    if loaded != PROVIDERS[provider]:
        extra = "gpu" if provider == "cuda" else "ort-tensorrt"
        raise MissingDependency(
            f"{PROVIDERS[provider]} does not load: a library of CUDA, cuDNN or TensorRT is missing "
            f"or of another version ({loaded})",
            remedy=f"pip install --force-reinstall 'balentacq[{extra}]'",
        )


def most(contract: Described) -> int:
    """Largest batch for which no tensor of the graph exceeds TensorRT's limit."""
    height, width = contract.grid
    return max(1, min(_MOST, _MOST_ELEMENTS // (_AT_ONCE * len(contract.classes) * height * width)))


def options_of(provider: str, contract: Described, card: gpu.Gpu) -> dict[str, str]:
    """The provider's options: exact arithmetic, and the folder of its engine cache."""
    if provider == "cuda":
        return EXACT[provider]
    largest = most(contract)
    profile = {
        f"trt_profile_{which}_shapes": ",".join(
            f"{name}:{'x'.join(map(str, (batch, *contract.shapes[name])))}"
            for name in contract.inputs
        )
        for which, batch in (("min", 1), ("opt", min(8, largest)), ("max", largest))
    }
    folder = str(_engine_folder(contract, card, profile))
    return (
        profile
        | EXACT[provider]
        | {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": folder,
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": folder,
        }
    )


def _engine_folder(contract: Described, card: gpu.Gpu, options: dict[str, str]) -> Path:
    """The folder of cached engines of this graph, these versions, GPU and options; it is
    created.
    """
    versions = (cpu.examine().version, _tensorrt_version(), os.environ.get(_TF32, ""))
    parts = (contract.sha256, *versions, card.name, card.architecture)
    key = "|".join((*parts, *map(str, sorted(options.items()))))
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "balentacq" / "engines" / hashlib.sha256(key.encode()).hexdigest()[:16]
    with cannot_write(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _tensorrt_version() -> str:
    for name in ("tensorrt-cu13", "tensorrt"):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "of the system"


def open_session(path: Path, provider: tuple[str, dict[str, str]]) -> Any:
    """Open a session of a provider with its options. Raises BadGraph, or Failure if another
    provider was used.
    """
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    name = provider[0]
    # CUDA runs what TensorRT rejects; neither silently falls back to the CPU.
    chain = [provider, (PROVIDERS["cuda"], EXACT["cuda"])] if "Tensorrt" in name else [provider]
    try:
        session = ort.InferenceSession(path, options, providers=chain, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        raise cannot_open(path, error) from error
    if session.get_providers()[0] != name:
        raise Failure(
            f"{path}: ONNX Runtime took {session.get_providers()[0]} instead of {name}",
            remedy="its CUDA libraries do not load; see: scorer doctor",
        )
    check_placed(session, path)
    return session


def check_placed(session: Any, path: Path) -> None:
    """Raise Failure if operators other than shape computations run on the CPU."""
    everything, left = set(), set()
    for part in session.get_provider_graph_assignment_info():
        kinds = {node.op_type for node in part.get_nodes()}
        everything |= kinds
        if part.ep_name == "CPUExecutionProvider":
            left |= kinds
    free = _OF_SHAPES if "Shape" in everything else _OF_SHAPES - _ARITHMETIC
    if slow := sorted(left - free):
        raise Failure(
            f"{path}: ONNX Runtime leaves {', '.join(slow)} to the CPU",
            remedy="export the graph with --target gpu, and update onnxruntime-gpu",
        )
