"""Finds the last linear layer of a network, which may consist of several nodes."""

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from export import choice, classifier, spelled
from export.choice import Choice
from export.classifier import Classifier
from export.constants import Constants
from export.expected import EXPECTED
from export.nodes import called
from scorer.errors import CannotGraft


def find(name: str, made_by: dict[str, NodeProto], constants: Constants, output: str) -> Classifier:
    """Read the classifier that computes the tensor `name`, possibly as a sum of classifiers.

    made_by: the node of each tensor. Raises CannotGraft where the tensor is not a linear function.
    """
    node = producer(made_by, name, output)
    if node.op_type in classifier.KINDS:
        return classifier.read(node, constants)
    if node.op_type in ("Identity", "Cast"):
        return replace(find(node.input[0], made_by, constants, output), logits=name)
    if step := spelled.arithmetic(node, constants):
        inner = find(step[0], made_by, constants, output)
        if not {step[1].size, step[2].size} <= {1, inner.classes}:
            raise CannotGraft(
                f"{called(node)} adds or multiplies what is no value per class", remedy=EXPECTED
            )
        factor, addend = (np.broadcast_to(value, inner.classes) for value in step[1:])
        return replace(inner.scaled(factor, addend), logits=name)
    if spread := spelled.depth_to_space(node, made_by, constants):
        inner = find(spread.source, made_by, constants, output)
        return replace(inner.spread(spread.side, spread.mode), logits=name)
    if (kept := _chosen(node, constants)) is not None:
        inner = find(node.input[0], made_by, constants, output)
        if inner.order == "grid" and len(classes := kept.of(inner.classes)) > 1:
            return replace(inner.chosen(classes), logits=name)
    if node.op_type == "Add":
        parts = [find(part, made_by, constants, output) for part in node.input]
        if (whole := classifier.summed(parts, name)) is not None:
            return whole
    raise CannotGraft(
        f"{called(node)} stands between its output {output!r} and a linear classifier",
        remedy=EXPECTED,
    )


def _chosen(node: NodeProto, constants: Constants) -> Choice | None:
    """A choice among the channels of a picture, whose axes are [B, C, H, W]."""
    kept = choice.read(node, constants)
    return kept if kept is not None and kept.axis in (1, -3) else None


def keeps_classes(
    node: NodeProto, made_by: dict[str, NodeProto], constants: Constants, output: str
) -> bool:
    """Whether a node keeps some of the scores of a classifier, before anything else is done with
    them: these then are the classes.
    """
    if _chosen(node, constants) is None:
        return False
    try:
        find(node.output[0], made_by, constants, output)
    except CannotGraft:
        return False
    return True


def producer(made_by: dict[str, NodeProto], name: str, output: str) -> NodeProto:
    """The node that computes a tensor. Raises CannotGraft where it is an input or initializer."""
    if name not in made_by:
        raise CannotGraft(
            f"there is no classifier: the way back from its output {output!r} ends at {name!r}",
            remedy=EXPECTED,
        )
    return made_by[name]
