"""Checks that a network can be grafted: a score per pixel, and features that depend on the
image.
"""

from itertools import pairwise

from onnx import ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto

from export import nodes
from export.classifier import Classifier
from export.constants import Constants
from export.expected import EXPECTED
from export.nodes import called
from scorer.errors import CannotGraft

_LABELS = (TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8, TensorProto.BOOL)


def check_pixels(model: ModelProto, entry: ValueInfoProto) -> None:
    """Raise CannotGraft for boxes, embeddings, and one label for the whole image."""
    kind = entry.type.tensor_type
    boxes = [
        node
        for node in nodes.leading_to(model.graph, [entry.name])
        if node.op_type == "NonMaxSuppression"
    ]
    if not boxes and (not kind.HasField("shape") or _is_map(model, kind)):
        return
    shape = "x".join(dim.dim_param or str(dim.dim_value or "?") for dim in kind.shape.dim)
    what = f"{called(boxes[0])} makes boxes" if boxes else f"it is {shape or 'a single value'}"
    raise CannotGraft(
        f"its output {entry.name!r} does not score every pixel: {what}",
        remedy="expected class scores [batch, classes, height, width] or a map of labels",
    )


def _is_map(model: ModelProto, kind: TypeProto.Tensor) -> bool:
    """Whether a tensor has four axes, or two adjacent axes with the aspect ratio of the image; for
    labels, any two adjacent axes longer than 1.
    """
    sides = [dim.dim_value for dim in kind.shape.dim]
    if len(sides) == 4 or not sides:
        return True  # no axes: old PyTorch exporters record no shape behind an If
    pairs = [pair for pair in pairwise(sides) if 1 not in pair]
    if kind.elem_type in _LABELS:
        return bool(pairs)
    image = [dim.dim_value for dim in nodes.inputs(model.graph)[0].type.tensor_type.shape.dim]
    return any(
        0 in (*one, *other) or one[0] * other[1] == one[1] * other[0]
        for one in pairs
        for other in pairwise(image[1:])
    )


def check_effect(model: ModelProto, found: Classifier) -> None:
    """Raise CannotGraft where dropout on the features would have no effect, or the network is
    random.
    """
    features = found.features
    given = {entry.name for entry in nodes.inputs(model.graph)}
    if not given & nodes.leaves(model.graph, features):
        raise CannotGraft(
            f"the classifier reads {features[0]!r}, which does not depend on the image: dropout "
            "there would have no effect",
            remedy=EXPECTED,
        )
    constants = Constants(model)
    for node in nodes.leading_to(model.graph, features):
        if any(one.op_type in nodes.RANDOM or _drops(one, constants) for one in nodes.family(node)):
            raise CannotGraft(
                f"{called(node)} in front of the classifier draws at random: the same image would "
                "get other pixels every time",
                remedy="export the network in evaluation mode",
            )
    if not found.weight.any():
        raise CannotGraft(
            f"all weights of the classifier {found.logits!r} are zero: dropout before it "
            "would have no effect",
            remedy="export the network with its trained weights",
        )


def _drops(node: NodeProto, constants: Constants) -> bool:
    """Whether a node is a dropout that is, or may be, in training mode."""
    if node.op_type != "Dropout" or len(node.input) < 3 or not node.input[2]:
        return False
    training = constants.value(node.input[2])
    return training is None or bool(training.any())
