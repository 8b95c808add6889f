"""Reads a linear classifier in an ONNX graph from a Conv, ConvTranspose, MatMul or Gemm node."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from export.constants import Array, Constants, attribute
from export.expected import EXPECTED
from export.nodes import called
from scorer.errors import CannotGraft

KINDS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A linear classifier: logits = weight [C, K, kh, kw] * features + bias [C].

    side: one position of the features gives the scores of side x side pixels. weight is then
    [C·side², K, kh, kw] and bias [C·side²], and output c·side² + i·side + j is the score of class c
    at row i and column j of this block.

    features: names of the input tensors; the classifier sums over several, and K counts all their
    channels. logits: name of the output tensor. order: axes of the features: "grid" [B, K, h, w],
    "last" [..., K], "first" [B, K, N]. pads: of the convolution: top, left, bottom, right.
    """

    features: tuple[str, ...]
    logits: str
    weight: Array
    bias: Array
    order: str = "grid"
    pads: tuple[int, ...] = (0, 0, 0, 0)
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    side: int = 1

    @property
    def classes(self) -> int:
        """Number of scores per pixel; a single score separates two classes."""
        return len(self.weight) // self.side**2

    @property
    def uneven(self) -> bool:
        """Whether the padding of opposite sides differs, which PyTorch's convolutions lack."""
        return self.pads[:2] != self.pads[2:]

    def scaled(self, scale: Array, shift: Array) -> "Classifier":
        """The classifier of scale * logits + shift; scale, shift: [C]."""
        scale, shift = (np.repeat(values, self.side**2) for values in (scale, shift))
        weight = self.weight * scale[:, None, None, None]
        return replace(self, weight=weight, bias=self.bias * scale + shift)

    def chosen(self, classes: npt.NDArray[np.int64]) -> "Classifier":
        """Of these of its classes alone."""
        rows = (classes[:, None] * self.side**2 + np.arange(self.side**2)).ravel()
        return replace(self, weight=self.weight[rows], bias=self.bias[rows])

    def spread(self, side: int, mode: str) -> "Classifier":
        """The classifier followed by DepthToSpace with this block side; mode: ONNX's CRD or DCR.

        Raises CannotGraft where the number of outputs does not fit.
        """
        if self.side > 1 or len(self.weight) % side**2:
            raise CannotGraft(
                f"behind {self.logits!r} {len(self.weight)} scores become {side}x{side} pixels",
                remedy=EXPECTED,
            )
        weight, bias = self.weight, self.bias
        if mode == "DCR":
            order = np.arange(len(weight)).reshape(side**2, -1).T.ravel()
            weight, bias = weight[order], bias[order]
        return replace(self, weight=weight, bias=bias, side=side)


def read(node: NodeProto, constants: Constants) -> Classifier:
    """Read the classifier of a node of KINDS. Raises CannotGraft where it is not a linear
    classifier.
    """
    known = [constants.value(name) is not None for name in node.input[:2]]
    if not any(known):
        raise CannotGraft(
            f"{called(node)} multiplies two activations: class scores are no linear function of "
            "features that could be dropped",
            remedy=EXPECTED,
        )
    if node.op_type == "ConvTranspose":
        return _transposed(node, constants)
    return _conv(node, constants) if node.op_type == "Conv" else _product(node, constants)


def summed(parts: list[Classifier], logits: str) -> Classifier | None:
    """The sum of classifiers as one classifier of all their features; None where their shapes
    differ or they share only some features.
    """
    first = parts[0]
    if first.order != "grid" or any(_shape(part) != _shape(first) for part in parts):
        return None
    features = [name for part in parts for name in part.features]
    weights, bias = [part.weight for part in parts], np.sum([part.bias for part in parts], axis=0)
    if all(part.features == first.features for part in parts):
        return replace(first, logits=logits, weight=np.sum(weights, axis=0), bias=bias)
    if len(set(features)) < len(features):
        return None  # a channel dropped in one part would be kept in the other
    return replace(
        first,
        features=tuple(features),
        logits=logits,
        weight=np.concatenate(weights, axis=1),
        bias=bias,
    )


def _shape(part: Classifier) -> tuple[object, ...]:
    kernel = part.weight.shape[2:]
    return part.order, part.classes, kernel, part.pads, part.strides, part.dilations, part.side


def _conv(node: NodeProto, constants: Constants) -> Classifier:
    weight = constants.value(node.input[1])
    if weight is None or weight.ndim != 4 or attribute(node, "group", 1) != 1:
        raise CannotGraft(
            f"{called(node)} is no convolution of all channels of a picture at once",
            remedy=EXPECTED,
        )
    dilations = tuple(attribute(node, "dilations", [1, 1]))
    return Classifier(
        features=(node.input[0],),
        logits=node.output[0],
        weight=weight,
        bias=_bias(node, constants, len(weight)),
        pads=_pads(node, weight.shape[2:], dilations),
        strides=tuple(attribute(node, "strides", [1, 1])),
        dilations=dilations,
    )


def _transposed(node: NodeProto, constants: Constants) -> Classifier:
    """Read a ConvTranspose with stride s as a convolution that gives s x s pixels per position.

    For the output pixel o = q s + p at phase p of position q, tap k reads the position q + d, where
    d = (p + pad - k dilation) / s must be whole.
    """
    weight = constants.value(node.input[1])
    strides = attribute(node, "strides", [1, 1])
    if weight is None or weight.ndim != 4 or attribute(node, "group", 1) != 1:
        raise CannotGraft(
            f"{called(node)} is no convolution of all channels of a picture at once",
            remedy=EXPECTED,
        )
    taps = [_taps(node, axis, weight.shape[2 + axis]) for axis in (0, 1)]
    if strides[0] != strides[1]:
        raise CannotGraft(
            f"{called(node)} has strides of {strides[0]} and {strides[1]}",
            remedy="expected the same stride for rows and columns",
        )
    channels, classes, side = *weight.shape[:2], strides[0]
    reach = [max(abs(d) for _, _, d in of_axis) for of_axis in taps]
    own = np.zeros((classes, side, side, channels, 2 * reach[0] + 1, 2 * reach[1] + 1), np.float32)
    for row, down, dy in taps[0]:
        for col, across, dx in taps[1]:
            own[:, row, col, :, dy + reach[0], dx + reach[1]] = weight[:, :, down, across].T
    return Classifier(
        features=(node.input[0],),
        logits=node.output[0],
        weight=own.reshape(-1, channels, *own.shape[4:]),
        bias=np.repeat(_bias(node, constants, classes), side**2),
        pads=(*reach, *reach),
        side=side,
    )


def _taps(node: NodeProto, axis: int, kernel: int) -> list[tuple[int, int, int]]:
    """(phase, tap, offset of the position that is read) of a ConvTranspose along an axis."""
    stride = attribute(node, "strides", [1, 1])[axis]
    dilation = attribute(node, "dilations", [1, 1])[axis]
    more = attribute(node, "output_padding", [0, 0])[axis]
    reach = dilation * (kernel - 1) + 1
    begin, end = (attribute(node, "pads", [0, 0, 0, 0])[axis + 2 * i] for i in (0, 1))
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        total = max(reach + more - stride, 0)
        begin = total // 2 if auto == "SAME_UPPER" else total - total // 2
        end = total - begin
    if reach + more - begin - end != stride:
        raise CannotGraft(
            f"{called(node)} does not make exactly {stride} times as many rows or columns",
            remedy="expected pads with which a transposed convolution makes a whole multiple, such "
            "as a kernel of 2 at a stride of 2, or 4 with pads of 1",
        )
    return [
        (phase, tap, (phase + begin - tap * dilation) // stride)
        for phase in range(stride)
        for tap in range(kernel)
        if (phase + begin - tap * dilation) % stride == 0
    ]


def _product(node: NodeProto, constants: Constants) -> Classifier:
    """Read a MatMul or Gemm as a 1x1 convolution."""
    left, right = (constants.value(name) for name in node.input[:2])
    gemm = node.op_type == "Gemm"
    weight = left if right is None else right.T
    if weight is None or weight.ndim != 2 or (gemm and (right is None or _turned(node, "transA"))):
        raise CannotGraft(
            f"{called(node)} multiplies with something else than weights of classes",
            remedy=EXPECTED,
        )
    if gemm:
        weight = attribute(node, "alpha", 1.0) * (weight.T if _turned(node, "transB") else weight)
    return Classifier(
        features=(node.input[0 if left is None else 1],),
        logits=node.output[0],
        weight=weight[:, :, None, None],
        bias=attribute(node, "beta", 1.0) * _bias(node, constants, len(weight)),
        order="last" if left is None else "first",
    )


def _turned(node: NodeProto, name: str) -> bool:
    return bool(attribute(node, name, 0))


def _bias(node: NodeProto, constants: Constants, classes: int) -> Array:
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(classes, np.float32)
    bias = constants.value(node.input[2])
    if bias is None or bias.size not in (1, classes):
        raise CannotGraft(
            f"{called(node)} adds something else than one constant per class", remedy=EXPECTED
        )
    return np.array(np.broadcast_to(bias.ravel(), classes))


def _pads(node: NodeProto, kernel: tuple[int, ...], dilations: tuple[int, ...]) -> tuple[int, ...]:
    """The padding of a Conv in numbers, also for auto_pad; SAME only with a stride of 1."""
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        return tuple(attribute(node, "pads", [0, 0, 0, 0]))
    if max(attribute(node, "strides", [1, 1])) > 1:
        raise CannotGraft(
            f"{called(node)} has a stride and pads {auto}: say its pads in numbers", remedy=EXPECTED
        )
    total = [dilation * (side - 1) for dilation, side in zip(dilations, kernel, strict=True)]
    less, more = [side // 2 for side in total], [side - side // 2 for side in total]
    return (*less, *more) if auto == "SAME_UPPER" else (*more, *less)
