"""A plain network, opened in any runtime."""

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.contract import IMAGE
from scorer.errors import BadGraph
from scorer.plain import METADATA_KEY, PROBABILITIES, PlainContract
from scorer.runtimes import NAMES, choose, cpu, cuda, openvino, tensorrt
from scorer.runtimes.base import Feeds, Session, cannot_open

_REMEDY = "make one with: python -m export onnx --plain --result probabilities"


class PlainNetwork:
    """A plain network that is ready to run: `workers` calls at a time, each for one image."""

    def __init__(self, session: Session, contract: PlainContract) -> None:
        self._session, self.contract = session, contract
        kind = session.name.removesuffix(" float32")
        self.name = session.name if kind == session.name else f"{kind} {contract.precision}"
        self.workers = session.workers

    def run(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """The output for an image [H, W, 3]: uint8 [H, W], or float32 [C, H, W]."""
        packed = image[None]
        if self.contract.layout == "nchw":
            packed = packed.transpose(0, 3, 1, 2).copy()
        (found,) = self._session.run({IMAGE: packed}, [self.contract.output])
        first: npt.NDArray[Any] = found[0]
        return first

    def probabilities(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The class probabilities of an image [H, W, 3]: float32 [C, H, W]."""
        assert self.contract.output == PROBABILITIES
        return self.run(image)


class _OpenVino:
    """A plain graph in OpenVINO, with one stream per worker."""

    name = "openvino float32"

    def __init__(self, path: Path, *, workers: int) -> None:
        device = openvino.core()
        try:
            model = device.read_model(path)
            self.contract = contract_of(openvino.metadata(model, METADATA_KEY), path)
            shape = (1, *self.contract.shapes[IMAGE])
            model.reshape({IMAGE: list(shape)})
            options = {
                "NUM_STREAMS": workers,
                "INFERENCE_NUM_THREADS": workers,
                "INFERENCE_PRECISION_HINT": "f32",
            }
            compiled = device.compile_model(model, "CPU", options)
        except BadGraph:
            raise
        except Exception as error:  # OpenVINO raises RuntimeError and exceptions of its own
            raise cannot_open(path, error) from error
        self.workers = workers
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(workers):
            self._free.put(compiled.create_infer_request())
        # see _warm_up in openvino.py
        self.run({IMAGE: np.zeros(shape, np.uint8)}, [self.contract.output])

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        request = self._free.get()
        try:
            found = request.infer(dict(feeds))
            return [found[name].copy() for name in wanted]
        finally:
            self._free.put(request)


def _on_cpu(path: Path, workers: int) -> PlainNetwork:
    sessions = cpu.Sessions(path, workers=workers)
    return PlainNetwork(sessions, _contract_in(sessions.first, path))


def _in_openvino(path: Path, workers: int) -> PlainNetwork:
    session = _OpenVino(path, workers=workers)
    return PlainNetwork(session, session.contract)


def _on_gpu(provider: str) -> "Callable[[Path, int], PlainNetwork]":
    def opened(path: Path, workers: int) -> PlainNetwork:
        sessions = cuda.GpuSessions(path, _contract_in, workers=workers, provider=provider)
        return PlainNetwork(sessions, sessions.contract)

    return opened


def _in_tensorrt(path: Path, workers: int) -> PlainNetwork:
    engine = tensorrt.Engine(path, workers=workers)
    if not isinstance(engine.contract, PlainContract):
        raise _no_network(path)
    return PlainNetwork(engine, engine.contract)


_OPENERS: dict[str, Callable[[Path, int], PlainNetwork]] = {
    "cuda": _on_gpu("cuda"),
    "cpu": _on_cpu,
    "openvino": _in_openvino,
    "ort-tensorrt": _on_gpu("ort-tensorrt"),
    "tensorrt": _in_tensorrt,
}
assert tuple(_OPENERS) == NAMES


def open_network(name: str, path: Path, *, workers: int) -> PlainNetwork:
    """Open a plain network in the runtime `name`; "auto" chooses the fastest installed one.

    Raises BadGraph, MissingDependency.
    """
    if not path.is_file():
        raise BadGraph(f"{path} does not exist", remedy=_REMEDY)
    return _OPENERS[choose(name, graph=path)](path, workers)


def open_segmenter(name: str, path: Path, *, workers: int) -> PlainNetwork:
    """Open a plain network that gives probabilities. Raises BadGraph for others,
    MissingDependency.
    """
    network = open_network(name, path, workers=workers)
    if network.contract.output != PROBABILITIES:
        raise BadGraph(
            f"{path} gives a class map, and masks of other sizes need the probabilities",
            remedy=_REMEDY,
        )
    return network


def contract_of(text: str | None, path: Path) -> PlainContract:
    """Parse the contract in a file's metadata; None: there is none. Raises BadGraph."""
    if text is None:
        raise _no_network(path)
    return PlainContract.from_json(text, source=str(path))


def _contract_in(session: Any, path: Path) -> PlainContract:
    return contract_of(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)


def _no_network(path: Path) -> BadGraph:
    return BadGraph(f"{path} is no plain network: it carries no {METADATA_KEY}", remedy=_REMEDY)
