"""Loads an ONNX file with its external data, and checks that it is a complete float network."""

import hashlib
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, external_data_helper

from export import nodes
from export.absent import check_network
from export.nodes import called
from scorer.contract import METADATA_KEY
from scorer.errors import CannotGraft

_LARGEST = 2**31 - 2**26  # protobuf's limit is 2 GB, and the scoring head needs room
_POINTER = b"version https://git-lfs"
# First bytes of files that are often mistaken for ONNX files, what they are, and the remedy.
_OTHERS = (
    (_POINTER, "a pointer of Git LFS, not the file itself", "fetch the file: git lfs pull"),
    (b"<", "a web page or XML", "download the .onnx file itself, or convert the network to ONNX"),
    (b"PK\x03\x04", "a ZIP archive, as PyTorch saves", "unpack it, or export it to ONNX"),
    (b"\x89HDF", "an HDF5 file, as Keras saves", "convert it to ONNX, such as with tf2onnx"),
)
_QUANTISED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
     "ConvInteger", "MatMulInteger"}
)  # fmt: skip


def load(path: Path) -> tuple[ModelProto, str]:
    """Load a model with all its tensors; returns it with the SHA-256 of the file and its external
    data.

    Raises CannotGraft, naming the file, if it is not a complete float network.
    """
    model = _parsed(path)
    if any(entry.key == METADATA_KEY for entry in model.metadata_props):
        raise CannotGraft(
            f"{path} is a scoring graph already", remedy="give the network that it came from"
        )
    _check_floats(path, model)
    data = _external(path, model)
    _check_size(path, data)
    digest = hashlib.sha256()
    for part in (path, *data):
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise CannotGraft(
            f"the weights of {path} cannot be read: {str(error).splitlines()[0]}",
            remedy="they must lie in its folder, whole: copy them again",
        ) from error
    return model, digest.hexdigest()


def _parsed(path: Path) -> ModelProto:
    """Parse the file without its external data."""
    check_network(path)
    if path.stat().st_size > _LARGEST:
        raise CannotGraft(f"{path} is larger than 2 GB", remedy="an ONNX file must be smaller")
    try:
        _check_beginning(path)
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except (DecodeError, OSError) as error:
        raise CannotGraft(
            f"{path} is no ONNX file: {error}", remedy="check that the file is complete"
        ) from error
    domains = {entry.domain for entry in model.opset_import}
    if not model.graph.output or not domains & {"", "ai.onnx"}:
        raise CannotGraft(
            f"{path} is no ONNX network: it has no outputs or operators",
            remedy="check that the file is complete",
        )
    return model


def _check_beginning(path: Path) -> None:
    for start, what, remedy in _OTHERS:
        if _beginning(path).startswith(start):
            raise CannotGraft(f"{path} is {what}", remedy=remedy)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _check_floats(path: Path, model: ModelProto) -> None:
    functions = (node for function in model.functions for node in function.node)
    for node in (*nodes.every(model.graph), *functions):
        if node.op_type in _QUANTISED or "QLinear" in node.op_type:
            raise CannotGraft(
                f"{path} is quantised to 8 bits or fewer, as its {called(node)} says: its features "
                "are no floats in which channels could be dropped",
                remedy="export the float model, and graft that; quantise afterwards: python -m "
                "export onnx --plain --precision int8",
            )


def _external(path: Path, model: ModelProto) -> list[Path]:
    """The paths of the external data files."""
    tensors = external_data_helper._get_all_tensors(model)
    names = {
        external_data_helper.ExternalDataInfo(tensor).location
        for tensor in tensors
        if external_data_helper.uses_external_data(tensor)
    }
    return [path.parent / name for name in sorted(names)]


def _check_size(path: Path, external: list[Path]) -> None:
    sizes = [path.stat().st_size]
    for data in external:
        # onnx refuses a path that leaves the folder when it loads the data
        if not data.is_file():
            raise CannotGraft(
                f"{path} keeps its weights in {data.name}, which is not beside it",
                remedy=f"put {data.name} into {path.parent}",
            )
        if _beginning(data).startswith(_POINTER):
            raise CannotGraft(f"{data} is {_OTHERS[0][1]}", remedy=_OTHERS[0][2])
        sizes.append(data.stat().st_size)
    if sum(sizes) > _LARGEST:
        raise CannotGraft(
            f"{path} and its weights are {sum(sizes) / 1e9:.1f} GB",
            remedy="a graph is one file of 2 GB at most: export the network in float16",
        )
