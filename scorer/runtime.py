"""Opens a scoring graph and runs it. One class per runtime, one interface."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scorer.contract import (
    EXCLUDE,
    IMAGE,
    LABEL,
    MAP,
    METADATA_KEY,
    NOISE,
    PIXEL,
    SCORE,
    Contract,
)
from scorer.errors import BadGraph, MissingDependency


@dataclass(frozen=True)
class Scores:
    """What a graph says of B images: the K best pixels of each, best first.

    score float32 [B, K]; pixel int32 [B, K, 2] as (row, column) on the grid, -1 where no eligible
    pixel was left; label int32 [B, K]; map float32 [B, H, W], the acquisition's own quantity.
    """

    score: npt.NDArray[np.float32]
    pixel: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    map: npt.NDArray[np.float32] | None


class Runtime(Protocol):
    """A graph that is ready to run."""

    contract: Contract

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        """Score image [B, H, W, 3]; exclude and noise are [B, H, W]."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU; every image is scored as if it were alone."""

    def __init__(self, path: Path, *, threads: int) -> None:
        self._session = _session(path, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise BadGraph(
                f"{path} is an ONNX graph, but not a scoring graph: it carries no contract",
                remedy="make one with: python -m export onnx",
            )
        self.contract = Contract.from_json(metadata[METADATA_KEY], source=str(path))
        _check_inputs(self._session, self.contract, path)

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        given: dict[str, Any] = {IMAGE: image, EXCLUDE: exclude, NOISE: noise}
        feeds = {name: given[name] for name in self.contract.inputs}
        outputs = [SCORE, PIXEL, LABEL] + ([MAP] if want_map else [])
        # One by one: a convolution rounds differently in a batch, and a ranking must not depend
        # on it. On a CPU a batch saves nothing.
        alone = [
            self._session.run(outputs, {name: values[i : i + 1] for name, values in feeds.items()})
            for i in range(len(image))
        ]
        score, pixel, label, *rest = (np.concatenate(parts) for parts in zip(*alone, strict=True))
        return Scores(score, pixel, label, rest[0] if rest else None)


def _session(path: Path, threads: int):  # type: ignore[no-untyped-def]  # onnxruntime has no types
    try:
        import onnxruntime as ort  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "ranking needs ONNX Runtime", remedy="pip install 'balentacq[cpu]' (or [gpu])"
        ) from error
    if not path.is_file():
        raise BadGraph(f"{path} does not exist", remedy="make it with: python -m export onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised; warnings would spoil the progress
    # Logits far below the maximum become denormals in exp, a hundred times slower than zeros.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        raise BadGraph(
            f"{path} cannot be opened: {str(error).splitlines()[0]}",
            remedy="is it a whole scorer.onnx? make it again with: python -m export onnx",
        ) from error


def _check_inputs(session, contract: Contract, path: Path) -> None:  # type: ignore[no-untyped-def]
    found = {entry.name for entry in session.get_inputs()}
    grids = {tuple(entry.shape[1:3]) for entry in session.get_inputs()}
    outputs = {entry.name: entry.shape for entry in session.get_outputs()}
    places = outputs.get(SCORE, [None])[-1]
    if not set(contract.outputs) <= set(outputs) or (found, grids, places) != (
        set(contract.inputs),
        {contract.grid},
        contract.top_k,
    ):
        raise BadGraph(
            f"{path}: its inputs and outputs do not fit its own contract",
            remedy="the file was edited; export it again",
        )
