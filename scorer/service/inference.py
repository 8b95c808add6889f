"""The Open Inference Protocol: raw tensors of the graph, for standard clients.

https://github.com/kserve/open-inference-protocol, REST, with the binary tensor data extension of
NVIDIA's tritonclient.
"""

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scorer import __version__
from scorer.contract import BEST, EXCLUDE, IMAGE, MAPS, NOISE, Contract
from scorer.errors import BadInput
from scorer.runtimes.base import Runtime, Scores
from scorer.service.scoring import Scored, Tensors

MODEL = "scorer"
HEADER = "inference-header-content-length"
# The protocol's names of NumPy types; transmitted in little-endian order.
_TYPES = {"uint8": "UINT8", "int32": "INT32", "float32": "FP32"}
_NUMPY = {name: np.dtype(kind).newbyteorder("<") for kind, name in _TYPES.items()}
_MOST_IMAGES = 64
_MOST_JSON = 8_000_000  # bytes; parsed Python numbers need some thirty times as much
_REMEDY = f"GET /v2/models/{MODEL} lists the tensors with their types and shapes"

Text = Annotated[str, Field(max_length=200)]
Parameters = dict[str, bool | int | float | str]


class Input(BaseModel):
    """A tensor, with its numbers as `data`, flat or nested, or after the JSON
    (binary_data_size).
    """

    model_config = ConfigDict(extra="forbid")
    name: Literal["image", "exclude", "noise"]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=10**6)]], Field(min_length=1, max_length=4)]
    datatype: Literal["UINT8", "FP32"]
    parameters: Parameters = {}
    data: list[Any] | None = None


class Output(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Literal["score", "pixel", "label", "map", "segmentation"]
    parameters: Parameters = {}


class Inference(BaseModel):
    """The JSON of a request."""

    model_config = ConfigDict(extra="forbid")
    id: Text = ""
    parameters: Parameters = {}
    inputs: Annotated[list[Input], Field(min_length=1, max_length=3)]
    outputs: Annotated[list[Output], Field(max_length=6)] | None = None


@dataclass
class Raw:
    """The tensors of a request, which must fit the graph."""

    inference: Inference
    tensors: Tensors

    def __post_init__(self) -> None:
        self.images = len(self.tensors.image)
        asked = self.inference.outputs
        self.want_map = asked is not None and any(one.name in MAPS for one in asked)

    def load(self, runtime: Runtime) -> Tensors:
        contract, given = runtime.contract, self.tensors
        if self.want_map and not contract.has_map:
            raise BadInput(
                "this graph gives no map", remedy="ask for the outputs of the graph alone"
            )
        for name in (IMAGE, EXCLUDE, NOISE):
            found = _described(getattr(given, name))
            expected = None
            if name in contract.inputs:
                kind, shape = _TYPES[contract.kinds[name]], contract.shapes[name]
                expected = f"{kind} {[self.images, *shape]}"
            if found != expected:
                raise BadInput(f"{name} is {found}, expected {expected}", remedy=_REMEDY)
        return given

    def needs_maps(self, runtime: Runtime) -> bool:
        del runtime  # determined by the request
        return self.want_map

    def finish(self, runtime: Runtime, scores: Scores) -> dict[str, Any]:
        """The graph's outputs by name."""
        del runtime  # the numbers are returned unchanged
        names = BEST + MAPS if self.want_map else BEST
        return {name: getattr(scores, name) for name in names}


def _described(values: npt.NDArray[Any] | None) -> str | None:
    return None if values is None else f"{_TYPES[values.dtype.name]} {list(values.shape)}"


def metadata(contract: Contract) -> dict[str, Any]:
    """The description of the model for clients."""

    def tensor(name: str) -> dict[str, Any]:
        kind = _TYPES[contract.kinds[name]]
        return {"name": name, "datatype": kind, "shape": [-1, *contract.shapes[name]]}

    return {
        "name": MODEL, "versions": ["1"], "platform": "balentacq_onnx",
        "inputs": [tensor(name) for name in contract.inputs],
        "outputs": [tensor(name) for name in contract.outputs],
        "parameters": {"graph": contract.sha256},
    }  # fmt: skip


def server() -> dict[str, Any]:
    return {"name": "balentacq", "version": __version__, "extensions": ["binary_tensor_data"]}


def read(body: bytes, length: str | None) -> Raw:
    """Parse a request's body; length: of its JSON, if tensors follow. Raises BadInput."""
    fits = length is None or (length.isdecimal() and len(length) < 12 and int(length) <= len(body))
    if not fits:
        raise BadInput(
            f"{HEADER} does not fit the body", remedy="give the length of the JSON in bytes"
        )
    end = len(body) if length is None else int(length)
    if end > _MOST_JSON:
        raise BadInput(
            f"the JSON has {end} bytes, at most {_MOST_JSON} are read",
            remedy="send the tensors as binary data",
        )
    try:
        inference = Inference.model_validate_json(body[:end])
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        raise BadInput(
            f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", remedy=_REMEDY
        ) from error
    found: dict[str, npt.NDArray[Any]] = {}
    for one in inference.inputs:
        values, end = _tensor(one, body, end)
        found[one.name] = values
    if IMAGE not in found or len(found[IMAGE]) > _MOST_IMAGES:
        raise BadInput(f"the tensor image has 1 to {_MOST_IMAGES} images", remedy=_REMEDY)
    images = len(found[IMAGE])
    if EXCLUDE not in found:
        raise BadInput(
            "the tensor exclude is missing: uint8, 1 where no pixel may be chosen", remedy=_REMEDY
        )
    if any(len(values) != images for values in found.values()):
        raise BadInput("the tensors differ in their first axis", remedy=_REMEDY)
    return Raw(inference, Tensors(found[IMAGE], found[EXCLUDE], found.get(NOISE)))


def _tensor(one: Input, body: bytes, start: int) -> tuple[npt.NDArray[Any], int]:
    """A tensor, and the position of the next one in the body. Raises BadInput."""
    kind, size = _NUMPY[one.datatype], one.parameters.get("binary_data_size")
    count = math.prod(one.shape)
    if size is None:
        return _of_numbers(one, kind, count), start
    end = start + count * kind.itemsize
    if one.data is not None or size != end - start or end > len(body):
        raise BadInput(
            f"{one.name}: binary_data_size does not fit its shape and the body", remedy=_REMEDY
        )
    values = np.frombuffer(body, kind, count, start).reshape(one.shape)
    return _finite(one, values), end


def _of_numbers(one: Input, kind: "np.dtype[Any]", count: int) -> npt.NDArray[Any]:
    try:
        values = np.array(one.data, dtype=np.float64).ravel()
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(
            f"{one.name}: its data are not numbers of equal rows", remedy=_REMEDY
        ) from error
    if len(values) != count or not np.isfinite(values).all():
        raise BadInput(f"{one.name}: its data do not fit its shape", remedy=_REMEDY)
    if kind == np.uint8 and not ((values >= 0) & (values <= 255) & (values % 1 == 0)).all():
        raise BadInput(f"{one.name}: its data are not whole numbers from 0 to 255", remedy=_REMEDY)
    return _finite(one, values.astype(kind).reshape(one.shape))


def _finite(one: Input, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not np.isfinite(values).all():
        raise BadInput(f"{one.name}: its data are not finite", remedy=_REMEDY)
    return values


def written(raw: Raw, scored: Scored) -> tuple[bytes, int | None]:
    """The response's body, and the length of its JSON if tensors follow."""
    outputs: dict[str, npt.NDArray[Any]] = scored.answer
    asked = raw.inference.outputs or [Output.model_validate({"name": name}) for name in outputs]
    usual = bool(raw.inference.parameters.get("binary_data_output", False))
    described, tail = [], b""
    for one in asked:
        kind = _TYPES[outputs[one.name].dtype.name]
        values = outputs[one.name].astype(_NUMPY[kind], copy=False)
        entry: dict[str, Any] = {
            "name": one.name, "datatype": kind, "shape": list(values.shape)
        }  # fmt: skip
        if one.parameters.get("binary_data", usual):
            data = values.tobytes()
            entry["parameters"] = {"binary_data_size": len(data)}
            tail += data
        else:
            entry["data"] = values.ravel().tolist()
        described.append(entry)
    answer = {
        "model_name": MODEL, "model_version": "1", "outputs": described,
        "parameters": {"graph": scored.contract.sha256},
    }  # fmt: skip
    if raw.inference.id:
        answer["id"] = raw.inference.id
    text = json.dumps(answer).encode()
    return text + tail, len(text) if tail else None
