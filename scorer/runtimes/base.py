"""The interfaces of runtimes, and functions that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scorer import plain
from scorer.contract import BEST, EXCLUDE, IMAGE, MAPS, METADATA_KEY, NOISE, SCORE, Contract
from scorer.errors import BadGraph
from scorer.plain import PlainContract
from scorer.runtimes.sidecar import SUFFIX


@dataclass(frozen=True)
class Scores:
    """The scores of B images.

    Of the K best pixels of each, best first: score float32 [B, K]; pixel int32 [B, K, 2] as (row,
    column) on the map, -1 if fewer pixels are eligible; label int32 [B, K]. map float32 [B, H, W]:
    the acquisition's quantity; segmentation int32 [B, H, W]: the class of the largest mean
    probability; score_map float32 [B, H, W]: the score of every eligible pixel, NO_SCORE elsewhere.
    """

    score: npt.NDArray[np.float32]
    pixel: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    map: npt.NDArray[np.float32] | None = None
    segmentation: npt.NDArray[np.int32] | None = None
    score_map: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Installed:
    """An installed runtime: version of its package, and its precisions."""

    version: str
    precisions: tuple[str, ...]


Feeds = Mapping[str, npt.NDArray[Any]]  # tensors by name, each [B, ...]


class Described(Protocol):
    """The tensors in the contract of any graph; shapes are without the batch axis."""

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...
    @property
    def grid(self) -> tuple[int, int]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def precision(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Session(Protocol):
    """A graph that is ready to run, whatever its tensors mean.

    `workers` calls of `run` may be made at a time, each from its own thread.
    """

    name: str
    workers: int

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        """The wanted outputs of a batch, in this order."""
        ...


class Runtime(Protocol):
    """A scoring graph that is ready to run.

    `workers` calls of `run` may be made at a time, each from its own thread. Every image is scored
    separately on one core: its scores do not depend on the batch or the number of cores. name: what
    computes; a ranking must be finished in the runtime that began it.
    """

    name: str
    contract: Contract
    workers: int

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        """Score images [B, H, W, 3]; exclude, noise: [B, *map]."""
        ...


def fed(
    contract: Contract,
    image: npt.NDArray[np.uint8],
    exclude: npt.NDArray[np.uint8],
    noise: npt.NDArray[np.float32] | None,
) -> dict[str, npt.NDArray[Any]]:
    """The inputs of a graph by name; noise only if it takes any."""
    inputs: dict[str, Any] = {IMAGE: image, EXCLUDE: exclude, NOISE: noise}
    return {name: inputs[name] for name in contract.inputs}


def asked(want_map: bool) -> list[str]:
    """Names of the wanted outputs, in the order of the fields of Scores."""
    return [*BEST, *MAPS] if want_map else [*BEST]


def check_file(path: Path) -> None:
    """Raise BadGraph if there is no file of a graph or engine."""
    if not path.is_file():
        command = "tensorrt scorer.onnx" if path.suffix == SUFFIX else "onnx"
        raise BadGraph(
            f"{path} does not exist",
            remedy=f"make it with: python -m export {command}; or give the path of another",
        )


def cannot_open(path: Path, error: Exception) -> BadGraph:
    """An error with one line of a runtime's message about a file that it cannot open."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if "NOT_IMPLEMENTED" in lines[0]:
        return BadGraph(
            f"{path}: this runtime lacks one of its operators: {lines[0]}",
            remedy="bfloat16 needs --runtime openvino or a GPU; --precision fp16 runs everywhere",
        )
    return BadGraph(
        f"{path} cannot be opened: {lines[0]}",
        remedy="check that the file is complete, or write it again with: python -m export onnx",
    )


def read_contract(text: str | None, path: Path) -> Contract:
    """Parse the contract in a graph's metadata; None: there is none. Raises BadGraph."""
    if text is None:
        raise BadGraph(
            f"{path} is an ONNX graph, but not a scoring graph: it carries no {METADATA_KEY}",
            remedy="make one with: python -m export onnx",
        )
    return Contract.from_json(text, source=str(path))


def any_contract(metadata: Mapping[str, str], path: Path) -> Contract | PlainContract:
    """The contract in a file's metadata, of a scoring graph or a plain network. Raises BadGraph."""
    if plain.METADATA_KEY in metadata:
        return PlainContract.from_json(metadata[plain.METADATA_KEY], source=str(path))
    return read_contract(metadata.get(METADATA_KEY), path)


Shape = tuple[object, ...]


def check_tensors(
    contract: Contract, inputs: dict[str, Shape], outputs: dict[str, Shape], path: Path
) -> None:
    """Raise BadGraph unless the graph has the inputs and outputs of its contract."""
    sizes = {name: contract.grid if name == IMAGE else contract.map for name in contract.inputs}
    found = {name: tuple(shape[1:3]) for name, shape in inputs.items()}
    places = outputs.get(SCORE, (None,))[-1]
    if found != sizes or places != contract.top_k or not set(contract.outputs) <= set(outputs):
        raise BadGraph(
            f"{path}: its inputs and outputs do not fit its own contract",
            remedy="the file was edited; export it again",
        )
