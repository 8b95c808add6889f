"""Two halves, image to features and features to scores, become one graph with its contract."""

import onnx
from onnx import ModelProto

from export import nodes
from scorer.contract import FEATURES, IMAGE, METADATA_KEY, Contract
from scorer.plain import PlainContract

# TensorRT's parser and older runtimes read it; onnx writes a newer one by default.
IR_VERSION = 10
PREFIX = "scoring/"  # of every tensor behind the features
_BATCH = "B"


def join(
    trunk: ModelProto,
    tail: ModelProto,
    contract: Contract | PlainContract,
    key: str = METADATA_KEY,
) -> ModelProto:
    """One graph: `trunk` makes FEATURES out of IMAGE, `tail` the outputs out of FEATURES.

    The trunk keeps its nodes, initializers and their names. Both must be of one opset. key: under
    which the graph carries its contract.
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
    """The version of ONNX's own operators that a model uses."""
    return int(next(e.version for e in model.opset_import if e.domain in ("", "ai.onnx")))


def _one_batch(model: ModelProto) -> None:
    """Inputs and outputs have the batch of the image: any, or the one that the trunk takes."""
    entries = {entry.name: entry for entry in (*model.graph.input, *model.graph.output)}
    size = entries[IMAGE].type.tensor_type.shape.dim[0].dim_value
    for entry in entries.values():
        dimension = entry.type.tensor_type.shape.dim[0]
        if size:
            dimension.dim_value = size
        else:
            dimension.dim_param = _BATCH
