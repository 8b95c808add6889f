"""Recognises operators that some exporters write as several nodes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from onnx import NodeProto, helper

from export.constants import Array, Constants, attribute


def arithmetic(node: NodeProto, constants: Constants) -> tuple[str, Array, Array] | None:
    """Read Add, Sub, Mul or Div with a constant as (other input, factor, addend); None for other
    nodes.
    """
    if node.op_type not in ("Add", "Sub", "Mul", "Div"):
        return None
    left, right = (constants.value(name) for name in node.input)
    if (left is None) == (right is None) or (node.op_type == "Div" and left is not None):
        return None
    constant = (right if left is None else left).ravel()  # type: ignore[union-attr]
    source = node.input[0 if left is None else 1]
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    if node.op_type in ("Mul", "Div"):
        return source, constant if node.op_type == "Mul" else one / constant, zero
    if node.op_type == "Add":
        return source, one, constant
    return (source, one, -constant) if left is None else (source, -one, constant)


def softmax(node: NodeProto, made_by: Mapping[str, NodeProto]) -> NodeProto | None:
    """Recognise softmax written as Exp divided by its ReduceSum, with or without ReduceMax; returns
    a Softmax node in its place, or None.
    """
    if node.op_type != "Div":
        return None
    powers, total = (made_by.get(name) for name in node.input)
    if powers is None or total is None or powers.op_type != "Exp":
        return None
    if total.op_type != "ReduceSum" or total.input[0] != powers.output[0]:
        return None
    source = powers.input[0]
    less = made_by.get(source)
    if less is not None and less.op_type == "Sub":
        highest = made_by.get(less.input[1])
        if highest is not None and highest.op_type == "ReduceMax":
            source = less.input[0] if highest.input[0] == less.input[0] else source
    return helper.make_node("Softmax", [source], list(node.output), name=node.name)


class Spread(NamedTuple):
    """A DepthToSpace of `source` with blocks of `side` x `side` pixels, in ONNX's mode."""

    source: str
    side: int
    mode: str


_MODES = {(0, 1, 4, 2, 5, 3): ("CRD", 2), (0, 3, 4, 1, 5, 2): ("DCR", 1)}


def depth_to_space(
    node: NodeProto, made_by: Mapping[str, NodeProto], constants: Constants
) -> Spread | None:
    """Recognise DepthToSpace, or Reshape to six axes, Transpose and Reshape; None for other
    nodes.
    """
    if node.op_type == "DepthToSpace":
        mode = str(attribute(node, "mode", "DCR"))
        return Spread(node.input[0], attribute(node, "blocksize", 1), mode)
    turned = made_by.get(node.input[0]) if node.op_type == "Reshape" else None
    if turned is None or turned.op_type != "Transpose":
        return None
    split = made_by.get(turned.input[0])
    mode, first = _MODES.get(tuple(attribute(turned, "perm", ())), ("", 0))
    if not mode or split is None or split.op_type != "Reshape":
        return None
    sides = constants.value(split.input[1])
    if sides is None or sides.size != 6 or sides[first] != sides[first + 1] or sides[first] < 2:
        return None
    return Spread(split.input[0], int(sides[first]), mode)


def enlarging(node: NodeProto, constants: Constants) -> float | None:
    """The gain of a ConvTranspose that upsamples every class separately with the same kernel; None
    for other nodes.
    """
    if node.op_type != "ConvTranspose" or len(node.input) > 2:
        return None
    weight, strides = constants.value(node.input[1]), attribute(node, "strides", [1, 1])
    if weight is None or weight.ndim != 4 or min(strides) < 2:
        return None
    count, group = len(weight), attribute(node, "group", 1)
    if group == 1 and weight.shape[1] == count:
        own = weight[np.arange(count), np.arange(count)]
        if np.abs(weight).sum() > np.abs(own).sum() * (1 + 1e-6):
            return None
    elif group == count and weight.shape[1] == 1:
        own = weight[:, 0]
    else:
        return None
    gain = float(own[0].sum() / np.prod(strides))
    return gain if gain > 0 and np.allclose(own, own[:1], rtol=1e-3, atol=1e-6) else None
