"""Cuts the front part out of an ONNX network: the graph from the image to the features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export import nodes
from export.classifier import Classifier
from export.foreign import Foreign
from scorer.contract import FEATURES, IMAGE
from scorer.images.preprocessing import LUMA, Preprocessing


def cut(
    foreign: Foreign,
    model: ModelProto,
    found: Classifier,
    preprocessing: Preprocessing,
    tokens: tuple[int, int],
) -> ModelProto:
    """The graph from IMAGE to FEATURES: preprocessing, then the network's nodes and initializers,
    unchanged, then the features of the classifier as float32 [B, K, h, w].

    tokens: rows and columns of the grid that features without spatial axes are reshaped to.
    """
    trunk = ModelProto()
    trunk.ir_version = model.ir_version
    trunk.opset_import.extend(model.opset_import)
    graph = trunk.graph
    graph.CopyFrom(model.graph)
    nodes.keep_only(graph, found.features)
    nodes.rename(graph, _apart)
    before = _before(foreign, preprocessing)
    behind = _behind(found, tokens)
    own = list(graph.node)
    for field in ("node", "input", "output"):
        graph.ClearField(field)
    graph.node.extend([*before.node, *own, *behind.node])
    graph.initializer.extend([*before.initializer, *behind.initializer])
    shape = [foreign.batch or "B", *_grid(foreign, model), 3]
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, shape))
    graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
    nodes.strip(trunk)
    return trunk


def _apart(name: str) -> str:
    """The name of a tensor in the cut graph: prefixed where it would clash with IMAGE or
    FEATURES.
    """
    return f"network/{name}" if name in (IMAGE, FEATURES) else name


def _grid(foreign: Foreign, model: ModelProto) -> tuple[int, int]:
    entry = next(entry for entry in model.graph.input if entry.name == foreign.image.name)
    sides = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
    return (sides[2], sides[3]) if foreign.layout == "nchw" else (sides[1], sides[2])


def _before(foreign: Foreign, given: Preprocessing) -> GraphProto:
    """The preprocessing graph from IMAGE to the network's own input."""
    chain = _Chain([IMAGE], "preprocessing/")
    grey, of_bytes = given.channels == "grey", foreign.kind == TensorProto.UINT8
    if grey or not of_bytes:
        # The first node, because TensorRT reads a uint8 input with Cast only.
        chain.add("Cast", to=TensorProto.FLOAT)
    if given.channels == "bgr":
        chain.add("Gather", np.array([2, 1, 0], np.int64), axis=3)
    if grey:
        chain.add("MatMul", np.array(LUMA, np.float32)[:, None])
    if grey and of_bytes:
        chain.add("Add", np.array(0.5, np.float32))
        chain.add("Floor")
    count = foreign.channels
    if any(given.mean):
        chain.add("Sub", np.array(given.mean[:count], np.float32))
    if set(given.std) != {1.0}:
        chain.add("Div", np.array(given.std[:count], np.float32))
    if foreign.layout == "nchw":
        chain.add("Transpose", perm=[0, 3, 1, 2])
    chain.add("Cast", to=foreign.kind)
    return chain.ending_in(_apart(foreign.image.name))


def _behind(found: Classifier, tokens: tuple[int, int]) -> GraphProto:
    """The graph from the classifier's input tensors to FEATURES."""
    chain = _Chain([_apart(name) for name in found.features], "features/")
    channels = found.weight.shape[1]
    if len(found.features) > 1:
        chain.add("Concat", axis=1)
    if found.order == "last":
        chain.add("Reshape", np.array([-1, *tokens, channels], np.int64))
        chain.add("Transpose", perm=[0, 3, 1, 2])
    elif found.order == "first":
        chain.add("Reshape", np.array([-1, channels, *tokens], np.int64))
    if found.uneven:
        top, left, bottom, right = found.pads
        chain.add("Pad", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    chain.add("Cast", to=TensorProto.FLOAT)
    return chain.ending_in(FEATURES)


class _Chain:
    """Builds a chain of nodes, each with at most one constant."""

    def __init__(self, start: Sequence[str], prefix: str) -> None:
        self._inputs, self._prefix = list(start), prefix
        self._graph = onnx.GraphProto()

    def add(self, kind: str, constant: npt.NDArray[Any] | None = None, **attributes: Any) -> None:
        """Append a node whose inputs are the previous output and, if given, a constant."""
        name = f"{self._prefix}{len(self._graph.node)}-{kind.lower()}"
        if constant is not None:
            self._graph.initializer.append(numpy_helper.from_array(constant, f"{name}/constant"))
            self._inputs.append(f"{name}/constant")
        node: NodeProto = helper.make_node(kind, self._inputs, [name], name=name, **attributes)
        self._graph.node.append(node)
        self._inputs = [name]

    def ending_in(self, name: str) -> GraphProto:
        """The graph of the chain; its last output is renamed to `name`."""
        self._graph.node[-1].output[0] = name
        return self._graph
