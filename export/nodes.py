"""Walks and renames the nodes of an ONNX graph, including those of subgraphs."""

from collections.abc import Callable, Iterable, Iterator

from google.protobuf.message import Message
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

# Operators that draw random numbers.
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
     "RandomUniformLike"}
)  # fmt: skip


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The subgraphs of a node, such as the body of a loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def family(node: NodeProto) -> Iterator[NodeProto]:
    """A node and all nodes in its subgraphs."""
    yield node
    for inner in subgraphs(node):
        yield from every(inner)


def every(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes of a graph and of its subgraphs."""
    for node in graph.node:
        yield from family(node)


def reads(node: NodeProto) -> Iterator[str]:
    """The names of the tensors that a node reads, including those that its subgraphs capture."""
    yield from (name for name in node.input if name)
    for inner in subgraphs(node):
        inside = {entry.name for entry in (*inner.input, *inner.initializer)}
        inside |= {name for one in inner.node for name in one.output}
        taken = (name for one in inner.node for name in reads(one))
        outputs = (entry.name for entry in inner.output)
        yield from (name for name in (*taken, *outputs) if name not in inside)


def producers(graph: GraphProto) -> dict[str, NodeProto]:
    """The producing node of each tensor, by tensor name."""
    return {name: node for node in graph.node for name in node.output if name}


def leading_to(graph: GraphProto, names: Iterable[str]) -> list[NodeProto]:
    """The nodes that the tensors `names` depend on, in graph order."""
    made_by = producers(graph)
    found: set[int] = set()
    waiting = list(names)
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None and id(node) not in found:
            found.add(id(node))
            waiting += reads(node)
    return [node for node in graph.node if id(node) in found]


def leaves(graph: GraphProto, names: Iterable[str]) -> set[str]:
    """The inputs and initializers that the tensors `names` depend on."""
    wanted = list(names)
    needed = {name for node in leading_to(graph, wanted) for name in reads(node)} | set(wanted)
    return needed - set(producers(graph))


def inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs of a graph without initializers, which older files list among the inputs."""
    initial = {entry.name for entry in graph.initializer}
    return [entry for entry in graph.input if entry.name not in initial]


def keep_only(graph: GraphProto, names: Iterable[str]) -> None:
    """Remove nodes and initializers that `names` do not depend on, and all recorded shapes."""
    wanted = list(names)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in leading_to(graph, wanted)]
    needed = {name for node in nodes for name in reads(node)} | set(wanted)
    for position in reversed(range(len(graph.initializer))):
        if graph.initializer[position].name not in needed:
            del graph.initializer[position]
    del graph.node[:], graph.value_info[:], graph.quantization_annotation[:]
    graph.node.extend(nodes)


def rename(graph: GraphProto, new: Callable[[str], str]) -> None:
    """Rename every tensor of a graph and of its subgraphs from old to new(old)."""
    for entry in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        entry.name = new(entry.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = new(sparse.values.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new(name) if name else name for name in names]
        for inner in subgraphs(node):
            rename(inner, new)


def strip(model: ModelProto) -> None:
    """Remove metadata and doc strings, in which PyTorch stores stack traces with local paths."""
    _strip(model)
    graphs = [model.graph]
    for graph in graphs:
        _strip(graph, *graph.node, *graph.initializer)
        _strip(*graph.input, *graph.output, *graph.value_info)
        graphs += [inner for node in graph.node for inner in subgraphs(node)]


def _strip(*parts: Message) -> None:
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def called(node: NodeProto) -> str:
    """The description of a node in messages, such as Relu 'decoder/relu_3'."""
    return f"{node.op_type} {node.name or node.output[0]!r}"
