"""The runtime TensorRT or TensorRT-RTX, for engines with sidecars made by python -m export
tensorrt.
"""

import ctypes
import importlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.contract import IMAGE, Contract
from scorer.errors import BadGraph, BadInput, Failure, MissingDependency, NoGpu
from scorer.runtimes import gpu, sidecar
from scorer.runtimes.base import Feeds, Installed, Scores, asked, check_file, fed
from scorer.runtimes.sidecar import FLAVOURS, Sidecar

LANES = 2  # one computes while the other copies; further workers prepare images


class Engine:
    """An engine of any graph, with a context, a stream, and pinned memory per lane.

    So one lane copies while another computes.
    """

    def __init__(self, path: Path, *, workers: int) -> None:
        data = path.read_bytes()
        self.sidecar = sidecar.read(path, data)
        self.contract = self.sidecar.contract
        card = gpu.find()
        trt = package(self.sidecar.flavour)
        _check_fits(self.sidecar, path, card, trt.__version__)
        self.name = f"{self.sidecar.flavour} {self.contract.precision} on {card.name}"
        self.workers = workers
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        # Such an engine contains code; the sidecar's hash shows that it is the one built.
        self._runtime.engine_host_code_allowed = self.sidecar.version_compatible
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise BadGraph(
                f"{path}: TensorRT {trt.__version__} on {card.name} does not take this engine",
                remedy="build it on this machine: python -m export tensorrt scorer.onnx",
            )
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for _ in range(min(workers, LANES)):
            self._free.put(
                Lane(self._engine, self.contract.shapes, self.contract.kinds, self.sidecar.batch[2])
            )

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        (least, _, most), images = self.sidecar.batch, len(feeds[IMAGE])
        if images > most:
            raise BadInput(
                f"{images} images at a time; the engine was built for {least} to {most}",
                remedy=f"choose --batch {most} or less, or build another engine",
            )
        if images < least:  # pad the last batch of a pool, and drop the padding afterwards
            feeds = {name: padded(values, least) for name, values in feeds.items()}
        lane = self._free.get()
        try:
            return [found[:images] for found in lane.run(feeds, wanted)]
        finally:
            self._free.put(lane)


class TensorRt:
    """A scoring graph's engine."""

    def __init__(self, path: Path, *, workers: int) -> None:
        check_file(path)
        self._engine = Engine(path, workers=workers)
        contract = self._engine.contract
        if not isinstance(contract, Contract):
            raise BadGraph(
                f"{path} is the engine of a plain network, which has no scores",
                remedy="give it to scorer segment, or build one of a scoring graph",
            )
        self.contract, self.name, self.workers = contract, self._engine.name, workers

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        feeds = fed(self.contract, image, exclude, noise)
        return Scores(*self._engine.run(feeds, asked(want_map)))


class Lane:
    """An execution context with its stream and buffers, for batches up to `most`.

    shapes: of all inputs and outputs, without the batch axis; kinds: their NumPy types.
    """

    def __init__(
        self,
        engine: Any,
        shapes: Mapping[str, tuple[int, ...]],
        kinds: Mapping[str, str],
        most: int,
    ) -> None:
        self._cuda = _cuda()
        self._context = engine.create_execution_context()
        if self._context is None:
            raise Failure(
                "TensorRT could not make room for the engine on the GPU",
                remedy="choose --threads 1, or build it for fewer images at a time with --batch",
            )
        self._stream = self._asked("cudaStreamCreate")
        self._shapes = shapes
        self._device: dict[str, int] = {}
        self._host: dict[str, npt.NDArray[Any]] = {}
        for name, shape in shapes.items():
            kind = np.dtype(kinds[name])
            size = most * math.prod(shape) * kind.itemsize
            self._device[name] = self._asked("cudaMalloc", size)
            pinned = self._asked("cudaMallocHost", size)
            self._host[name] = _array(pinned, size).view(kind).reshape(most, *shape)
            self._context.set_tensor_address(name, int(self._device[name]))

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Run a batch; only the wanted outputs are copied from the GPU."""
        batch = len(feeds[IMAGE])
        kinds = self._cuda.cudaMemcpyKind
        for name, values in feeds.items():
            self._host[name][:batch] = values
            self._context.set_input_shape(name, (batch, *self._shapes[name]))
            self._copy(name, batch, kinds.cudaMemcpyHostToDevice)
        if not self._context.execute_async_v3(int(self._stream)):
            raise Failure("TensorRT could not run the engine", remedy="see: scorer doctor")
        for name in wanted:
            self._copy(name, batch, kinds.cudaMemcpyDeviceToHost)
        self._asked("cudaStreamSynchronize", self._stream)
        return [self._host[name][:batch].copy() for name in wanted]

    def _copy(self, name: str, batch: int, kind: Any) -> None:
        host = self._host[name][:batch]
        source, target = self._device[name], host.ctypes.data
        if kind == self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice:
            source, target = target, source
        self._asked("cudaMemcpyAsync", target, source, host.nbytes, kind, self._stream)

    def _asked(self, function: str, *arguments: Any) -> Any:
        code, *found = getattr(self._cuda, function)(*arguments)
        if int(code):
            raise Failure(f"{function}: {code.name}", remedy="is the GPU's memory full?")
        return found[0] if found else None


def examine() -> Installed:
    """The installed TensorRT packages. Raises MissingDependency, NoGpu."""
    found = [name for name in FLAVOURS if importlib.util.find_spec(FLAVOURS[name])]
    if not found:
        raise MissingDependency(
            "TensorRT is not installed",
            remedy="pip install 'balentacq[tensorrt]' or [tensorrt-rtx]",
        )
    _cuda()
    try:
        card = gpu.find()
    except NoGpu as error:
        installed = " and ".join(FLAVOURS[name] for name in found)
        raise NoGpu(f"{installed} installed, but {error}", remedy=error.remedy) from error
    modules, last = {}, None
    for name in found:
        try:
            modules[name] = package(name)
        except MissingDependency as error:  # NVIDIA's package without its libraries
            last = error
    if not modules and last:
        raise last
    versions = ", ".join(f"{name} {module.__version__}" for name, module in modules.items())
    return Installed(f"{versions} on {card.name}", ("float32",))


def package(flavour: str) -> Any:
    """The Python module of a flavour of TensorRT. Raises MissingDependency."""
    extra = "tensorrt" if flavour == "tensorrt" else "tensorrt-rtx"
    try:
        module = importlib.import_module(FLAVOURS[flavour])
        module.Builder  # noqa: B018  # missing in the package without NVIDIA's libraries
    except (ImportError, AttributeError, OSError) as error:
        raise MissingDependency(
            f"needs {FLAVOURS[flavour]} and its libraries ({error})",
            remedy=f"pip install 'balentacq[{extra}]'; the libraries of tensorrt come from "
            "NVIDIA's own index, which must be in reach",
        ) from error
    return module


def _check_fits(built: Sidecar, path: Path, card: gpu.Gpu, version: str) -> None:
    if not fits(built.gpu, card):
        raise BadGraph(
            f"{path} was built for {built.gpu}, and {card.name} is {card.architecture}",
            remedy="build it for this GPU: python -m export tensorrt scorer.onnx",
        )
    own, installed = (int(text.split(".")[0]) for text in (built.tensorrt, version))
    if own != installed and not (built.version_compatible and own < installed):
        raise BadGraph(
            f"{path} was built by TensorRT {built.tensorrt}, and {version} is installed",
            remedy="build it again, with --version-compatible if later versions are to open it",
        )


def fits(architecture: str, card: gpu.Gpu) -> bool:
    """Whether an engine of this architecture runs on a GPU; sm80+: also on all later ones."""
    if architecture.endswith("+"):
        return card.capability >= (int(architecture[2:-2]), int(architecture[-2]))
    return architecture == card.architecture


def padded(values: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
    """Repeat the last element of a batch up to `least` elements."""
    return np.concatenate([values, np.repeat(values[-1:], least - len(values), axis=0)])


def _cuda() -> Any:
    try:
        from cuda.bindings import runtime  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "engines need cuda-python", remedy="pip install 'balentacq[tensorrt]'"
        ) from error
    return runtime


def _array(address: Any, size: int) -> npt.NDArray[np.uint8]:
    """An array over memory that CUDA has allocated."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(address)))
