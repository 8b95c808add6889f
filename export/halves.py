"""Splits a scoring graph behind a frozen backbone, so that a photograph's feature maps can be kept.

The first half computes the backbone's maps from an image; the second half computes the scores from
the maps, and carries the contract. Both in sequence compute what the whole graph computes.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from onnx import ModelProto, NodeProto, StringStringEntryProto, ValueInfoProto

from export.join import PREFIX
from export.nodes import reads
from export.reweigh import learned_tensors
from scorer.contract import IMAGE
from trainer.graph.scorable import Scorable


def halves(model: ModelProto, network: Scorable) -> tuple[ModelProto, ModelProto] | None:
    """Both halves of a graph; None for a network without a frozen backbone."""
    learned = learned_tensors(network)
    if not learned:
        return None
    frozen = _frozen(model, learned)
    front = [node for node in model.graph.node if set(node.output) & frozen]
    behind = [node for node in model.graph.node if not set(node.output) & frozen]
    seam = _read(behind) & frozen - {IMAGE}
    if not seam or IMAGE in _read(behind):
        return None
    maps = sorted((one for one in model.graph.value_info if one.name in seam), key=_name)
    if len(maps) < len(seam):
        return None
    first = _part(model, front, ())
    first.graph.input.extend(one for one in model.graph.input if one.name == IMAGE)
    first.graph.output.extend(maps)
    second = _part(model, behind, model.metadata_props)
    second.graph.input.extend(maps)
    second.graph.input.extend(one for one in model.graph.input if one.name != IMAGE)
    second.graph.output.extend(model.graph.output)
    return first, second


def _frozen(model: ModelProto, learned: AbstractSet[str]) -> set[str]:
    """The tensors that depend on the image, but on no learned weight and no node of the tail."""
    fixed = {
        one.name
        for one in model.graph.initializer
        if one.name not in learned and not one.name.startswith(PREFIX)
    }
    found = {IMAGE}
    for node in model.graph.node:
        inputs = set(reads(node))
        if inputs & found and inputs <= found | fixed:
            found.update(node.output)
        elif not inputs & found and inputs <= fixed and not node.name.startswith(PREFIX):
            fixed.update(node.output)  # a constant
    return found


def _part(
    model: ModelProto, nodes: list[NodeProto], properties: Iterable[StringStringEntryProto]
) -> ModelProto:
    """A model of some nodes with their constants and weights; inputs and outputs are added
    later.
    """
    wanted, kept = _read(nodes), list(nodes)
    own = {name for node in nodes for name in node.output}
    for node in reversed(model.graph.node):  # constants that the other half holds
        if set(node.output) & wanted - own and not set(reads(node)):
            kept.insert(0, node)
    part = ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.metadata_props.extend(properties)
    part.graph.name = model.graph.name
    part.graph.node.extend(kept)
    part.graph.initializer.extend(one for one in model.graph.initializer if one.name in wanted)
    return part


def _name(entry: ValueInfoProto) -> str:
    return entry.name


def _read(nodes: Iterable[NodeProto]) -> set[str]:
    return {name for node in nodes for name in reads(node)}
