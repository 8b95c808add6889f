"""Evaluates the constant tensors of an ONNX graph: those that do not depend on an input."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from export import nodes

Array = npt.NDArray[np.float32]


class Constants:
    """Values of initializers and of tensors that are computed from initializers alone."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._initial = {entry.name: entry for entry in model.graph.initializer}
        self._found: dict[str, Array | None] = {}

    def value(self, name: str) -> Array | None:
        """The value of a tensor as float32, or None if it depends on an input of the graph."""
        if name not in self._found:
            self._found[name] = self._value(name)
        return self._found[name]

    def _value(self, name: str) -> Array | None:
        if name in self._initial:
            return _float(numpy_helper.to_array(self._initial[name]))
        graph = self._model.graph
        needed = nodes.leading_to(graph, [name])
        leaves = nodes.leaves(graph, [name])
        if not needed or not leaves <= set(self._initial):
            return None
        part = onnx.helper.make_graph(
            needed,
            "constant",
            [],
            [onnx.ValueInfoProto(name=name)],
            [self._initial[leaf] for leaf in sorted(leaves)],
        )
        folded = onnx.helper.make_model(part, opset_imports=self._model.opset_import)
        try:
            results: Any = ReferenceEvaluator(folded).run(None, {})
        except Exception:  # the evaluator lacks an operator, which raises exceptions of many types
            return None
        return _float(results[0])


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, text as str; `default` if the node does not have it."""
    for entry in node.attribute:
        if entry.name == name:
            value = onnx.helper.get_attribute_value(entry)
            return value.decode() if isinstance(value, bytes) else value
    return default


def _float(values: Any) -> Array:
    return np.asarray(values).astype(np.float32)
