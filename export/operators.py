"""Checks an ONNX graph against TensorRT's rules for operators, without TensorRT."""

import math
from collections.abc import Iterable, Iterator

import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from export import nodes
from export.constants import Constants, attribute
from export.join import opset

_NEWEST_OPSET = 24
_MOST_TOP = 3839
_MOST_ELEMENTS = 2**31
# Operators of the parsers of TensorRT 10.15 to 11, except random ones, whose seed they ignore, and
# CumSum, which gave wrong results.
_KNOWN = frozenset((
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh",
    "AveragePool", "BatchNormalization", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Concat",
    "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "Cos", "Cosh", "DepthToSpace",
    "DequantizeLinear", "Div", "Dropout", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand",
    "EyeLike", "Flatten", "Floor", "GRU", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "Greater", "GreaterOrEqual",
    "GridSample", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax", "Identity", "If",
    "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu",
    "Less", "LessOrEqual", "Log", "LogSoftmax", "Loop", "LpNormalization", "LpPool", "MatMul",
    "Max", "MaxPool", "Mean", "MeanVarianceNormalization", "Min", "Mish", "Mod", "Mul", "Neg",
    "NonMaxSuppression", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear",
    "RNN", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu",
    "Reshape", "Resize", "ReverseSequence", "RoiAlign", "Round", "Scan", "ScatterElements",
    "ScatterND", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Slice",
    "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum",
    "Tan", "Tanh", "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze",
    "Upsample", "Where", "Xor",
))  # fmt: skip
_WIDE: dict[int, str] = {
    TensorProto.DOUBLE: "float64",
    TensorProto.COMPLEX64: "complex",
    TensorProto.STRING: "text",
}


def violations(model: ModelProto, batch: int = 1) -> list[str]:
    """What TensorRT would reject in a graph, one text per node or tensor; empty if nothing is
    found.

    batch: largest number of images at a time, which limits the size of tensors.
    """
    return [*_of_opset(model), *_of_nodes(model), *_of_tensors(model, batch)]


def too_large(model: ModelProto, batch: int) -> list[str]:
    """The tensors that exceed TensorRT's size limit with `batch` images at a time, as texts."""
    return list(_too_large(_shaped(model), batch))


def _of_opset(model: ModelProto) -> Iterator[str]:
    if opset(model) > _NEWEST_OPSET:
        yield f"opset {opset(model)}: TensorRT reads up to {_NEWEST_OPSET}"
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            yield f"operators of the domain {entry.domain!r}"
    if model.functions:
        yield f"local functions, such as {model.functions[0].name!r}"


def _of_nodes(model: ModelProto) -> Iterator[str]:
    constants = Constants(model)
    bytes_in = {
        entry.name
        for entry in model.graph.input
        if entry.type.tensor_type.elem_type == TensorProto.UINT8
    }
    for node in nodes.every(model.graph):
        called = nodes.called(node)
        if node.op_type not in _KNOWN:
            yield f"{called}: TensorRT has no such operator, or a wrong one"
        if bytes_in & set(node.input) and node.op_type != "Cast":
            yield f"{called} reads bytes: only Cast may"
        if node.op_type == "Cast" and attribute(node, "to", 0) in _WIDE | {TensorProto.UINT8: ""}:
            yield f"{called} makes a type that TensorRT does not compute in"
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            yield f"{called} may be in training mode"
        if node.op_type == "Resize":
            yield from _of_resize(node, called)
        if node.op_type == "TopK":
            yield from _of_top(node, called, constants)
        axes = [name for name in node.input[1:] if name]
        if node.op_type.startswith("Reduce") and any(constants.value(a) is None for a in axes):
            yield f"{called}: its axes are not constant"


def _of_resize(node: NodeProto, called: str) -> Iterator[str]:
    mode = attribute(node, "mode", "nearest")
    if mode not in ("nearest", "linear"):
        yield f"{called}: mode {mode}"
    if attribute(node, "antialias", 0):
        yield f"{called}: antialias"


def _of_top(node: NodeProto, called: str, constants: Constants) -> Iterator[str]:
    most = constants.value(node.input[1])
    if most is None:
        yield f"{called}: K is not constant"
    elif most.item() > _MOST_TOP:
        yield f"{called}: K is {most.item():.0f}, TensorRT takes up to {_MOST_TOP}"
    if not attribute(node, "sorted", 1):
        yield f"{called}: unsorted"


def _of_tensors(model: ModelProto, batch: int) -> Iterator[str]:
    for tensor in model.graph.initializer:
        if tensor.data_type in _WIDE:
            yield f"{tensor.name!r} is {_WIDE[tensor.data_type]}"
    entries = _shaped(model)
    for entry in entries:
        kind = entry.type.tensor_type
        if kind.elem_type in _WIDE:
            yield f"{entry.name!r} is {_WIDE[kind.elem_type]}"
    yield from _too_large(entries, batch)


def _shaped(model: ModelProto) -> list[ValueInfoProto]:
    """All tensors whose shape can be inferred."""
    known = onnx.shape_inference.infer_shapes(model).graph
    return [*known.value_info, *known.output]


def _too_large(entries: Iterable[ValueInfoProto], batch: int) -> Iterator[str]:
    for entry in entries:
        sides = entry.type.tensor_type.shape.dim
        count = math.prod(s.dim_value if s.HasField("dim_value") else batch for s in sides)
        if count >= _MOST_ELEMENTS:
            yield f"{entry.name!r} has {count} elements: TensorRT takes less than 2^31"
