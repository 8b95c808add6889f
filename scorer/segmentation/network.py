"""A plain network that is ready to run, in ONNX Runtime or OpenVINO."""

from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scorer.contract import IMAGE
from scorer.errors import BadGraph, BadInput
from scorer.plain import METADATA_KEY, PROBABILITIES, PlainContract
from scorer.runtimes import cpu, openvino
from scorer.runtimes.base import cannot_open

NAMES = ("cpu", "openvino")
_REMEDY = "make one with: python -m export onnx --plain --result probabilities"


class PlainNetwork(Protocol):
    """`workers` calls of `probabilities` may go on at a time, each of one image, on one core."""

    name: str
    contract: PlainContract
    workers: int

    def probabilities(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Of every class at every pixel of an image [H, W, 3], float32 [C, H, W]."""
        ...


class OnnxNetwork:
    """In ONNX Runtime: a session of one thread for each worker."""

    name = "cpu float32"

    def __init__(self, path: Path, *, workers: int) -> None:
        sessions = [cpu.open_session(path) for _ in range(workers)]
        metadata = sessions[0].get_modelmeta().custom_metadata_map
        self.contract, self.workers = _contract(metadata.get(METADATA_KEY), path), workers
        self._free: SimpleQueue[Any] = SimpleQueue()
        for session in sessions:
            self._free.put(session)

    def probabilities(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        session = self._free.get()
        try:
            (found,) = session.run([PROBABILITIES], {IMAGE: _laid_out(image, self.contract)})
        finally:
            self._free.put(session)
        probabilities: npt.NDArray[np.float32] = found[0]
        return probabilities


class OpenVinoNetwork:
    """In OpenVINO: a stream for each worker."""

    name = "openvino float32"

    def __init__(self, path: Path, *, workers: int) -> None:
        device = openvino.core()
        try:
            model = device.read_model(path)
            self.contract = _contract(openvino.metadata(model, METADATA_KEY), path)
            shape = (1, *model.input(IMAGE).get_partial_shape()[1:])
            model.reshape({IMAGE: list(shape)})
            options = {
                "NUM_STREAMS": workers,
                "INFERENCE_NUM_THREADS": workers,
                "INFERENCE_PRECISION_HINT": "f32",
            }
            compiled = device.compile_model(model, "CPU", options)
        except BadGraph:
            raise
        except Exception as error:  # OpenVINO raises RuntimeError and its own kinds
            raise cannot_open(path, error) from error
        self.workers = workers
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(workers):
            self._free.put(compiled.create_infer_request())
        blank = np.zeros((*self.contract.grid, 3), np.uint8)
        self.probabilities(blank)  # once from here, as openvino.py says

    def probabilities(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        request = self._free.get()
        try:
            found = request.infer({IMAGE: _laid_out(image, self.contract)})[PROBABILITIES].copy()
        finally:
            self._free.put(request)
        probabilities: npt.NDArray[np.float32] = found[0]
        return probabilities


def open_network(name: str, path: Path, *, workers: int) -> PlainNetwork:
    """In the runtime of a name; "auto" takes ONNX Runtime. Raises BadGraph, MissingDependency."""
    if not path.is_file():
        raise BadGraph(f"{path} does not exist", remedy=_REMEDY)
    if name == "openvino":
        return OpenVinoNetwork(path, workers=workers)
    if name not in ("auto", "cpu"):
        raise BadInput(f"--runtime {name} does not segment", remedy=f"one of {', '.join(NAMES)}")
    return OnnxNetwork(path, workers=workers)


def _contract(text: str | None, path: Path) -> PlainContract:
    if text is None:
        raise BadGraph(
            f"{path} is no plain network: it carries no {METADATA_KEY}",
            remedy=_REMEDY,
        )
    contract = PlainContract.from_json(text, source=str(path))
    if contract.output != PROBABILITIES:
        raise BadGraph(
            f"{path} gives a class map, and masks of other sizes need the probabilities",
            remedy=_REMEDY,
        )
    return contract


def _laid_out(image: npt.NDArray[np.uint8], contract: PlainContract) -> npt.NDArray[np.uint8]:
    packed = image[None]
    return packed if contract.layout == "nhwc" else packed.transpose(0, 3, 1, 2).copy()
