"""Joins the graph from image to features with the graph from features to scores."""

import onnx
from onnx import ModelProto

from export import nodes
from scorer.contract import FEATURES, IMAGE, METADATA_KEY, Contract
from scorer.plain import PlainContract
from scorer.stage import TAIL

# onnx writes a newer version by default; TensorRT's parser and older runtimes read this one.
IR_VERSION = 10
PREFIX = TAIL
_BATCH = "B"


def join(
    trunk: ModelProto,
    tail: ModelProto,
    contract: Contract | PlainContract,
    key: str = METADATA_KEY,
) -> ModelProto:
    """Join two graphs: `trunk` computes FEATURES from IMAGE, `tail` the outputs from FEATURES.

    The trunk keeps the names of its nodes and initializers. Both must have the same opset. key:
    metadata key of the contract.
    """
    public = {IMAGE, FEATURES, *contract.inputs, *contract.outputs}
    taken = public - {IMAGE, FEATURES}
    model = ModelProto()
    model.CopyFrom(trunk)
    graph = model.graph
    nodes.rename(
        graph, lambda name: f"network/{name}" if name in taken or name.startswith(PREFIX) else name
    )
    behind = ModelProto()
    behind.CopyFrom(tail)
    nodes.rename(behind.graph, lambda name: name if name in public else PREFIX + name)
    for node in nodes.every(behind.graph):
        node.name = PREFIX + node.name
    graph.node.extend(behind.graph.node)
    graph.initializer.extend(behind.graph.initializer)
    graph.value_info.extend(behind.graph.value_info)
    graph.input.extend(entry for entry in behind.graph.input if entry.name != FEATURES)
    del graph.output[:]
    graph.output.extend(behind.graph.output)
    _one_batch(model)
    known = {entry.domain for entry in model.opset_import}
    model.opset_import.extend(e for e in behind.opset_import if e.domain not in known)
    least = onnx.helper.find_min_ir_version_for(list(model.opset_import), True)
    model.ir_version = max(IR_VERSION, least)
    graph.name = "scoring"
    onnx.helper.set_model_props(model, {key: contract.to_json()})
    return model


def opset(model: ModelProto) -> int:
    """The opset version of the standard ONNX operators in a model."""
    return int(next(e.version for e in model.opset_import if e.domain in ("", "ai.onnx")))


def _one_batch(model: ModelProto) -> None:
    """Give all inputs and outputs the batch axis of the image: dynamic, or of the trunk's fixed
    size.
    """
    entries = {entry.name: entry for entry in (*model.graph.input, *model.graph.output)}
    size = entries[IMAGE].type.tensor_type.shape.dim[0].dim_value
    for entry in entries.values():
        dimension = entry.type.tensor_type.shape.dim[0]
        if size:
            dimension.dim_value = size
        else:
            dimension.dim_param = _BATCH
