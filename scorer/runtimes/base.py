"""What every runtime that opens a scoring graph has in common."""

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
    """What a graph says of B images: the K best pixels of each, best first.

    score float32 [B, K]; pixel int32 [B, K, 2] as (row, column) on the map, -1 where no eligible
    pixel was left; label int32 [B, K]; map float32 [B, H, W], the acquisition's own quantity;
    segmentation int32 [B, H, W], the class of the largest mean probability; score_map float32
    [B, H, W], the score of every eligible pixel and NO_SCORE of the others.
    """

    score: npt.NDArray[np.float32]
    pixel: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    map: npt.NDArray[np.float32] | None = None
    segmentation: npt.NDArray[np.int32] | None = None
    score_map: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Installed:
    """A runtime's package as this machine has it: name and version, and what it computes in."""

    version: str
    precisions: tuple[str, ...]


Feeds = Mapping[str, npt.NDArray[Any]]  # tensors by name, each [B, ...]


class Described(Protocol):
    """What the contract of any graph says of its tensors; shapes are those behind the batch."""

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
    """A graph that is ready to run, whatever its tensors mean. `workers` calls of `run` may go on
    at a time, each from a thread of its own.
    """

    name: str
    workers: int

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        """The wanted outputs of a batch, in that order."""
        ...


class Runtime(Protocol):
    """A graph that is ready to run.

    `workers` calls of `run` may go on at a time, each from a thread of its own. Every image is
    scored as if it were alone, on one core: what it gets depends neither on the batch nor on how
    many cores there are. `name` says what computes: a ranking begun in one is not ended in another.
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
        """Score image [B, H, W, 3]; exclude and noise are [B, *map]."""
        ...


def fed(
    contract: Contract,
    image: npt.NDArray[np.uint8],
    exclude: npt.NDArray[np.uint8],
    noise: npt.NDArray[np.float32] | None,
) -> dict[str, npt.NDArray[Any]]:
    """What a graph is given, by name; without the noise that it does not take."""
    inputs: dict[str, Any] = {IMAGE: image, EXCLUDE: exclude, NOISE: noise}
    return {name: inputs[name] for name in contract.inputs}


def asked(want_map: bool) -> list[str]:
    """The outputs that are wanted, in the order in which Scores takes them."""
    return [*BEST, *MAPS] if want_map else [*BEST]


def check_file(path: Path) -> None:
    """Raise BadGraph if there is no such graph or engine."""
    if not path.is_file():
        command = "tensorrt scorer.onnx" if path.suffix == SUFFIX else "onnx"
        raise BadGraph(f"{path} does not exist", remedy=f"make it with: python -m export {command}")


def cannot_open(path: Path, error: Exception) -> BadGraph:
    """What a runtime says of a file that it cannot read, in one line."""
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
    """The contract that the graph carries under METADATA_KEY; None: it carries none."""
    if text is None:
        raise BadGraph(
            f"{path} is an ONNX graph, but not a scoring graph: it carries no {METADATA_KEY}",
            remedy="make one with: python -m export onnx",
        )
    return Contract.from_json(text, source=str(path))


def any_contract(metadata: Mapping[str, str], path: Path) -> Contract | PlainContract:
    """The contract that a file carries, of a scoring graph or of a plain network."""
    if plain.METADATA_KEY in metadata:
        return PlainContract.from_json(metadata[plain.METADATA_KEY], source=str(path))
    return read_contract(metadata.get(METADATA_KEY), path)


Shape = tuple[object, ...]


def check_tensors(
    contract: Contract, inputs: dict[str, Shape], outputs: dict[str, Shape], path: Path
) -> None:
    """Raise BadGraph unless the graph has the inputs and outputs that its contract promises."""
    sizes = {name: contract.grid if name == IMAGE else contract.map for name in contract.inputs}
    found = {name: tuple(shape[1:3]) for name, shape in inputs.items()}
    places = outputs.get(SCORE, (None,))[-1]
    if found != sizes or places != contract.top_k or not set(contract.outputs) <= set(outputs):
        raise BadGraph(
            f"{path}: its inputs and outputs do not fit its own contract",
            remedy="the file was edited; export it again",
        )
