"""Names the nodes of a scoring graph after their stages, for the profilers of runtimes.

Passes: dropout and classifier, up to the probabilities of every pass. Moments: from these to their
mean and variance. Acquisition: from the mean to the best pixels. Backbone and head: before the
features.
"""

from collections.abc import Iterable, Iterator

from onnx import GraphProto, ModelProto, NodeProto

from export import nodes
from export.join import PREFIX
from scorer.contract import EXCLUDE, FEATURES, NOISE
from scorer.stage import ACQUISITION, BACKBONE, HEAD, MOMENTS, PASSES

_TRUNK = "network.trunk."  # weights before the features, as traced
_BACKBONE = f"{_TRUNK}backbone."
_OF_CHOICE = (EXCLUDE, NOISE)  # inputs that only the acquisition reads


def name(model: ModelProto) -> None:
    """Put the stage of every node before its name and before the names of its outputs.

    Names of inputs, outputs and initializers stay, and of tensors whose new name is taken. Nodes
    without a name stay so: two nodes with the same name are an error. Runtimes name fused nodes
    after outputs.
    """
    graph = model.graph
    public = {entry.name for entry in (*graph.input, *graph.output, *graph.initializer)}
    public |= {FEATURES}
    taken = public | {one for node in nodes.every(graph) for one in node.output}
    behind = [node for node in graph.node if node.name.startswith(PREFIX)]
    before = [node for node in graph.node if not node.name.startswith(PREFIX)]
    new: dict[str, str] = {}
    for node, stage in (*_of_trunk(graph, before), *_of_tail(behind)):
        node.name = node.name and _staged(node.name, stage)
        new |= {one: _staged(one, stage) for one in node.output if one and one not in public}
    new = {old: staged for old, staged in new.items() if staged not in taken}
    nodes.rename(graph, lambda old: new.get(old, old))


def _staged(name: str, stage: str) -> str:
    own = name.removeprefix(PREFIX)
    return f"{PREFIX if name.startswith(PREFIX) else ''}{stage}/{own}"


def _of_trunk(graph: GraphProto, trunk: list[NodeProto]) -> Iterator[tuple[NodeProto, str]]:
    """All of a network without a backbone of its own name counts as backbone."""
    weights = {entry.name for entry in graph.initializer if entry.name.startswith(_TRUNK)}
    of_head = {name for name in weights if not name.startswith(_BACKBONE)}
    if of_head == weights:
        of_head = set()
    head = _behind(trunk, of_head)
    for node in trunk:
        yield node, HEAD if node.name in head else BACKBONE


def _of_tail(tail: list[NodeProto]) -> Iterator[tuple[NodeProto, str]]:
    """The stages of the nodes behind the features, and of those in a scan over parts of the map."""
    scan = next((node for node in tail if node.op_type == "Scan"), None)
    if scan is None:
        yield from _of_formulas(tail)
        return
    (body,) = nodes.subgraphs(scan)
    yield from _of_formulas(list(body.node))
    after = _behind(tail, (*scan.output, *_OF_CHOICE))
    for node in tail:
        yield node, ACQUISITION if node.name in after else PASSES


def _of_formulas(scope: list[NodeProto]) -> Iterator[tuple[NodeProto, str]]:
    """Stages by descent: the mean is what the class is taken from; a probability is the product of
    an exponential and the reciprocal of their sum.
    """
    made = {name: node.op_type for node in scope for name in node.output}
    probabilities = {
        node.output[0]
        for node in scope
        if node.op_type == "Mul" and {made.get(one) for one in node.input} == {"Exp", "Reciprocal"}
    }
    means = {node.input[0] for node in scope if node.op_type == "ArgMax"}
    after_mean = _behind(scope, (*means, *_OF_CHOICE))
    after_probability = _behind(scope, probabilities)
    for node in scope:
        if node.name in after_mean:
            yield node, ACQUISITION
        else:
            yield node, MOMENTS if node.name in after_probability else PASSES


def _behind(scope: list[NodeProto], names: Iterable[str]) -> set[str]:
    """The names of the nodes that depend on tensors; `scope` is in the order of computation."""
    reached, found = set(names), set()
    for node in scope:
        if reached.intersection(nodes.reads(node)):
            reached.update(node.output)
            found.add(node.name)
    return found
