"""Finds the classifier of an ONNX network, walking backwards from an output."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import ModelProto, NodeProto

from export import choice, linear, requirements, spelled
from export.choice import Choice
from export.classifier import Classifier
from export.constants import Array, Constants, attribute
from export.expected import DECISIONS, ENDINGS, EXPECTED, MOVES
from export.nodes import called, producers
from scorer.errors import CannotGraft

_PIXEL_CENTRES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
_CORNERS = "align_corners"
_ENLARGE = frozenset({"Resize", "ConvTranspose"})


@dataclass(frozen=True, kw_only=True)
class Head:
    """A classifier, and what the network does with its scores.

    output: name of the output that was followed; ignored: names of the others. classifier: includes
    scale and shift [C], which the network applies to its logits. behind: the nodes from the
    classifier to the output, nearest first. choices: of the nodes among them that keep some places
    of an axis, by the names of their outputs.
    """

    output: str
    ignored: tuple[str, ...]
    classifier: Classifier
    scale: Array
    shift: Array
    behind: tuple[NodeProto, ...]
    choices: Mapping[str, Choice] = field(default_factory=dict)

    @property
    def resizes(self) -> list[NodeProto]:
        """The nodes that upsample the scores."""
        return [node for node in self.behind if node.op_type in _ENLARGE]

    @property
    def align_corners(self) -> bool:
        """Whether upsampling aligns the corner pixels."""
        modes = {_coordinates(node) for node in self.resizes if node.op_type == "Resize"}
        return modes == {_CORNERS}

    @property
    def replaced(self) -> list[NodeProto]:
        """The upsampling nodes that one bilinear upsampling replaces."""
        once = len(self.resizes) == 1
        return [node for node in self.resizes if not (once and _bilinear(node))]

    @property
    def before_ending(self) -> str:
        """Name of the tensor before softmax, ArgMax or the output."""
        name = self.classifier.logits
        for node in self.behind:
            if node.op_type in ENDINGS | DECISIONS:
                break
            name = node.output[0]
        return name

    @property
    def behind_ending(self) -> list[NodeProto]:
        """The nodes behind softmax or another final activation."""
        kinds = [node.op_type in ENDINGS | DECISIONS for node in self.behind]
        return list(self.behind[kinds.index(True) + 1 :]) if True in kinds else []

    @property
    def decides(self) -> NodeProto | None:
        """The first node that decides between two classes; None without one."""
        return next((node for node in self.behind if node.op_type in DECISIONS), None)

    def weighed(self, scale: Array, shift: Array) -> "Head":
        """The head with the scores scale * scores + shift; scale, shift: [C]."""
        return replace(
            self,
            classifier=self.classifier.scaled(scale, shift),
            scale=self.scale * scale,
            shift=self.shift * scale + shift,
        )

    @property
    def softens_first(self) -> bool:
        """Whether it upsamples probabilities, not scores."""
        kinds = [node.op_type for node in self.behind]
        ended = next((i for i, kind in enumerate(kinds) if kind in ENDINGS), len(kinds))
        return bool(_ENLARGE & set(kinds[ended:])) and kinds[ended] != "ArgMax"

    def ends_with(self, kind: str) -> bool:
        """Whether a node of this operator type follows the classifier."""
        return any(node.op_type == kind for node in self.behind)


def find(model: ModelProto, output: str | None = None) -> Head:
    """Find the classifier that gives an output, by default the first one.

    Raises CannotGraft, which names the obstructing node and says what was expected.
    """
    names = [entry.name for entry in model.graph.output]
    if output is not None and output not in names:
        raise CannotGraft(f"it has no output {output!r}", remedy=f"it has {', '.join(names)}")
    chosen = output or names[0]
    others = tuple(name for name in names if name != chosen)
    hint = f"; --output chooses another output: {', '.join(others)}" if others else ""
    try:
        requirements.check_pixels(model, model.graph.output[names.index(chosen)])
        head = replace(_walk(model, chosen), ignored=others)
        requirements.check_effect(model, head.classifier)
    except CannotGraft as error:
        raise CannotGraft(str(error), remedy=error.remedy + hint) from error
    return head


def _walk(model: ModelProto, output: str) -> Head:
    """Walk backwards from an output to the classifier."""
    made_by, constants = producers(model.graph), Constants(model)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    scale, shift = one, zero
    behind: list[NodeProto] = []
    choices: dict[str, Choice] = {}
    turned: NodeProto | None = None
    name = output
    while True:
        node = linear.producer(made_by, name, output)
        softmax = spelled.softmax(node, made_by)
        if softmax is not None:
            node = softmax
        if step := spelled.arithmetic(node, constants):
            name, factor, addend = step
            if len({scale.size, shift.size, factor.size, addend.size} - {1}) > 1:
                raise CannotGraft(
                    f"{called(node)} adds or multiplies what is no value per class", remedy=EXPECTED
                )
            scale, shift = scale * factor, scale * addend + shift
        elif node.op_type in ENDINGS | DECISIONS and (source := _judged(node, constants)):
            if scale.size > 1 or shift.size > 1 or not scale[0]:
                raise _weighed_anew(node)
            turned = node if scale[0] < 0 else turned
            # One factor and addend for all classes keep their order.
            scale, shift, name = one, zero, source
        elif (gain := spelled.enlarging(node, constants)) is not None:
            name, scale = node.input[0], scale * np.float32(gain)
        elif node.op_type in MOVES and not (
            spelled.depth_to_space(node, made_by, constants)
            or linear.keeps_classes(node, made_by, constants, output)
        ):
            if (kept := choice.read(node, constants)) is not None:
                choices[node.output[0]] = kept
            name = node.input[0]
        else:
            found = linear.find(name, made_by, constants, output)
            if turned is not None and found.classes > 1:
                raise _weighed_anew(turned)
            return replace(_head(output, found, scale, shift, behind), choices=choices)
        behind.insert(0, node)


def _head(
    output: str, found: Classifier, scale: Array, shift: Array, behind: list[NodeProto]
) -> Head:
    if not {scale.size, shift.size} <= {1, found.classes}:
        raise CannotGraft(
            f"behind the classifier {found.logits!r} something is added or multiplied that is not "
            "one value per class",
            remedy=EXPECTED,
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
    alone = next((node for node in behind if node.op_type == "Sigmoid"), None)
    if found.classes > 2 or (alone is None and "Softmax" not in {n.op_type for n in behind}):
        alone = alone or head.decides
    if alone is not None and found.classes > 1:
        raise CannotGraft(
            f"{called(alone)} scores each of {found.classes} classes by itself",
            remedy="expected classes that exclude each other: Softmax, ArgMax or plain scores",
        )
    return head


def _judged(node: NodeProto, constants: Constants) -> str | None:
    """The input of an activation or decision; None where it compares or mixes two activations."""
    constant = [constants.value(name) is not None for name in node.input if name]
    if node.op_type == "Where":
        return str(node.input[0]) if constant == [False, True, True] else None
    if len(constant) == 2 and node.op_type in DECISIONS:
        return str(node.input[constant.index(False)]) if sum(constant) == 1 else None
    return str(node.input[0])


def _weighed_anew(node: NodeProto) -> CannotGraft:
    return CannotGraft(f"behind {called(node)} the classes are weighed anew", remedy=EXPECTED)


def _coordinates(node: NodeProto) -> str:
    return str(attribute(node, "coordinate_transformation_mode", _PIXEL_CENTRES[0]))


def _bilinear(node: NodeProto) -> bool:
    mode = attribute(node, "mode", "nearest")
    return mode == "linear" and _coordinates(node) in (*_PIXEL_CENTRES, _CORNERS)
