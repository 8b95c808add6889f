"""What stands at the end of somebody's segmentation network: found from its output backwards."""

from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from export import classifier, nodes
from export.classifier import Classifier
from export.constants import Array, Constants, attribute
from export.nodes import called
from scorer.errors import CannotGraft

# What may stand behind a classifier: it moves class scores about, or keeps their order.
_MOVES = frozenset(
    {"Resize", "Transpose", "Identity", "Cast", "Slice", "Reshape", "Pad", "Squeeze",
     "Unsqueeze", "Flatten", "Dropout"}
)  # fmt: skip
_ENDINGS = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "ArgMax"})
_EXPECTED = (
    "expected a Conv, MatMul or Gemm with constant weights, behind it only constants added or "
    f"multiplied per class, {', '.join(sorted(_MOVES | _ENDINGS))}"
)
_PIXEL_CENTRES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
_CORNERS = "align_corners"


@dataclass(frozen=True, kw_only=True)
class Head:
    """A classifier, and what the network does to its scores afterwards.

    output: the graph's output that was followed; ignored: its other ones.
    classifier: with scale and shift [C], which the
    network applies to its logits later on, already in its weights. behind: the nodes behind it, the
    nearest first.
    """

    output: str
    ignored: tuple[str, ...]
    classifier: Classifier
    scale: Array
    shift: Array
    behind: tuple[NodeProto, ...]

    @property
    def resizes(self) -> list[NodeProto]:
        """The nodes that enlarge the scores."""
        return [node for node in self.behind if node.op_type == "Resize"]

    @property
    def align_corners(self) -> bool:
        """Whether enlarging puts outermost pixels on outermost pixels."""
        modes = {_coordinates(node) for node in self.resizes}
        return modes == {_CORNERS}

    @property
    def replaced(self) -> list[NodeProto]:
        """What enlarges the scores in another way than one bilinear step, which takes its place."""
        once = len(self.resizes) == 1
        return [node for node in self.resizes if not (once and _bilinear(node))]

    @property
    def before_ending(self) -> str:
        """The tensor that reaches softmax, ArgMax or the output."""
        name = self.classifier.logits
        for node in self.behind:
            if node.op_type in _ENDINGS:
                break
            name = node.output[0]
        return name

    @property
    def softens_first(self) -> bool:
        """Whether it enlarges what has gone through softmax already."""
        kinds = [node.op_type for node in self.behind]
        ended = next((i for i, kind in enumerate(kinds) if kind in _ENDINGS), len(kinds))
        return "Resize" in kinds[ended:] and kinds[ended] != "ArgMax"

    def ends_with(self, kind: str) -> bool:
        """Whether an operator of this kind is behind the classifier."""
        return any(node.op_type == kind for node in self.behind)


def find(model: ModelProto, output: str | None = None) -> Head:
    """Follow an output (the first, if none is named) back to the classifier.

    Raises CannotGraft, which names the node in the way and says what was expected.
    """
    names = [entry.name for entry in model.graph.output]
    if output is not None and output not in names:
        raise CannotGraft(f"it has no output {output!r}", remedy=f"it has {', '.join(names)}")
    chosen = output or names[0]
    others = tuple(name for name in names if name != chosen)
    hint = f"; --output chooses another output: {', '.join(others)}" if others else ""
    try:
        _check_pixels(model, model.graph.output[names.index(chosen)])
        head = replace(_walk(model, chosen), ignored=others)
        _check_effect(model, head)
    except CannotGraft as error:
        raise CannotGraft(str(error), remedy=(error.remedy or _EXPECTED) + hint) from error
    return head


def _walk(model: ModelProto, output: str) -> Head:
    """From an output backwards, one node after the other."""
    made_by, constants = nodes.producers(model.graph), Constants(model)
    scale, shift = np.ones(1, np.float32), np.zeros(1, np.float32)
    behind: list[NodeProto] = []
    name = output
    while True:
        node = _producer(made_by, name, output)
        if step := _arithmetic(node, constants):
            name, factor, addend = step
            if len({scale.size, shift.size, factor.size, addend.size} - {1}) > 1:
                raise CannotGraft(f"{called(node)} adds or multiplies what is no value per class")
            scale, shift = scale * factor, scale * addend + shift
        elif node.op_type in _ENDINGS:
            if scale.size > 1 or shift.size > 1 or scale[0] <= 0:
                raise CannotGraft(f"behind {called(node)} the classes are weighed anew")
            # The same for all classes: their order stays.
            scale, shift = np.ones(1, np.float32), np.zeros(1, np.float32)
            name = node.input[0]
        elif node.op_type in _MOVES:
            name = node.input[0]
        else:
            found = _linear(name, made_by, constants, output)
            return _head(output, found, scale, shift, behind)
        behind.insert(0, node)


def _head(
    output: str, found: Classifier, scale: Array, shift: Array, behind: list[NodeProto]
) -> Head:
    if not {scale.size, shift.size} <= {1, found.classes}:
        raise CannotGraft(
            f"behind the classifier {found.logits!r} something is added or multiplied that is not "
            "one value per class"
        )
    scale, shift = (np.array(np.broadcast_to(v, found.classes)) for v in (scale, shift))
    head = Head(
        output=output,
        ignored=(),
        classifier=found.scaled(scale, shift),
        scale=scale,
        shift=shift,
        behind=tuple(behind),
    )
    if head.ends_with("Sigmoid") and found.classes > 1:
        sigmoid = next(node for node in behind if node.op_type == "Sigmoid")
        raise CannotGraft(
            f"{called(sigmoid)} scores each of {found.classes} classes by itself",
            remedy="expected classes that exclude each other: Softmax, ArgMax or plain scores",
        )
    return head


def _linear(
    name: str, made_by: dict[str, NodeProto], constants: Constants, output: str
) -> Classifier:
    """The classifier that makes a tensor, or the sum of several."""
    node = _producer(made_by, name, output)
    if node.op_type in classifier.KINDS:
        return classifier.read(node, constants)
    if node.op_type in ("Identity", "Cast"):
        return replace(_linear(node.input[0], made_by, constants, output), logits=name)
    if step := _arithmetic(node, constants):
        inner = _linear(step[0], made_by, constants, output)
        if not {step[1].size, step[2].size} <= {1, inner.classes}:
            raise CannotGraft(f"{called(node)} adds or multiplies what is no value per class")
        factor, addend = (np.broadcast_to(value, inner.classes) for value in step[1:])
        return replace(inner.scaled(factor, addend), logits=name)
    if node.op_type == "Add":
        parts = [_linear(part, made_by, constants, output) for part in node.input]
        if (whole := classifier.summed(parts, name)) is not None:
            return whole
    raise CannotGraft(
        f"{called(node)} stands between its output {output!r} and a linear classifier"
    )


def _producer(made_by: dict[str, NodeProto], name: str, output: str) -> NodeProto:
    if name not in made_by:
        raise CannotGraft(
            f"there is no classifier: the way back from its output {output!r} ends at {name!r}"
        )
    return made_by[name]


def _arithmetic(node: NodeProto, constants: Constants) -> tuple[str, Array, Array] | None:
    """Add, Sub, Mul, Div with a constant: the other input, factor and addend; else None."""
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


def _check_pixels(model: ModelProto, entry: ValueInfoProto) -> None:
    """Refuse boxes, embeddings, and one label for the whole image."""
    kind = entry.type.tensor_type
    known = kind.HasField("shape")
    rank = len(kind.shape.dim)
    boxes = [
        node
        for node in nodes.leading_to(model.graph, [entry.name])
        if node.op_type == "NonMaxSuppression"
    ]
    if not boxes and (not known or rank == 4 or (rank == 3 and _is_label(kind.elem_type))):
        return
    if not boxes and rank == 3:
        with_argmax = nodes.producers(model.graph).get(entry.name)
        if with_argmax is not None and with_argmax.op_type in ("Squeeze", "Cast", "ArgMax"):
            return
    shape = "x".join(dim.dim_param or str(dim.dim_value or "?") for dim in kind.shape.dim)
    what = f"{called(boxes[0])} makes boxes" if boxes else f"it is {shape or 'a single value'}"
    raise CannotGraft(
        f"its output {entry.name!r} does not score every pixel: {what}",
        remedy="expected class scores [batch, classes, height, width] or a map of labels",
    )


def _is_label(kind: int) -> bool:
    return kind in (TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8)


def _check_effect(model: ModelProto, head: Head) -> None:
    """Refuse a dropout that could change nothing."""
    features = head.classifier.features
    given = {entry.name for entry in nodes.inputs(model.graph)}
    if not given & nodes.leaves(model.graph, features):
        raise CannotGraft(
            f"the classifier reads {features[0]!r}, which does not depend on the image: dropout "
            "there would have no effect"
        )
    constants = Constants(model)
    for node in nodes.leading_to(model.graph, features):
        if any(one.op_type in nodes.RANDOM or _drops(one, constants) for one in nodes.family(node)):
            raise CannotGraft(
                f"{called(node)} in front of the classifier draws at random: the same image would "
                "get other pixels every time",
                remedy="export the network in evaluation mode",
            )
    if not head.classifier.weight.any():
        raise CannotGraft(
            f"all weights of the classifier {head.classifier.logits!r} are zero: dropout before it "
            "would have no effect",
            remedy="export the network with its trained weights",
        )


def _drops(node: NodeProto, constants: Constants) -> bool:
    """Whether it is a dropout that is, or may be, in training mode."""
    if node.op_type != "Dropout" or len(node.input) < 3 or not node.input[2]:
        return False
    training = constants.value(node.input[2])
    return training is None or bool(training.any())


def _coordinates(node: NodeProto) -> str:
    return str(attribute(node, "coordinate_transformation_mode", _PIXEL_CENTRES[0]))


def _bilinear(node: NodeProto) -> bool:
    mode = attribute(node, "mode", "nearest")
    return mode == "linear" and _coordinates(node) in (*_PIXEL_CENTRES, _CORNERS)
