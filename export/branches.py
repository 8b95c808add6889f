"""Removes If nodes whose condition depends on the image size alone, as old PyTorch exporters
write.
"""

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    helper,
    shape_inference,
)

from export import nodes
from export.constants import Constants


def decided(model: ModelProto, image: str) -> ModelProto:
    """The model with the taken branch in place of every If whose condition follows from the shapes,
    for any batch size.

    image: name of the input whose height and width are known.
    """
    if not any(node.op_type == "If" for node in model.graph.node):
        return model
    found = [_conditions(model, image, batch) for batch in (1, 2)]
    sure = {name: value for name, value in found[0].items() if found[1].get(name) == value}
    if _batch(model, image):  # the batch size is fixed
        sure = found[0]
    if not sure:
        return model
    result = ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.value_info[:]
    for node in model.graph.node:
        if node.op_type == "If" and node.input[0] in sure:
            _inline(result.graph, node, sure[node.input[0]])
        else:
            result.graph.node.append(node)
    return decided(result, image)


def _batch(model: ModelProto, image: str) -> int:
    entry = next(one for one in model.graph.input if one.name == image)
    return int(entry.type.tensor_type.shape.dim[0].dim_value)


def _conditions(model: ModelProto, image: str, batch: int) -> dict[str, bool]:
    """The values of the outer Ifs' conditions that are constant for an image input of this batch
    size.
    """
    sized = ModelProto()
    sized.CopyFrom(model)
    entry = next(one for one in sized.graph.input if one.name == image)
    if not _batch(model, image):
        entry.type.tensor_type.shape.dim[0].dim_value = batch
    for output in sized.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(sized, data_prop=True)
    shapes = {
        e.name: e.type.tensor_type for e in (*inferred.graph.value_info, *inferred.graph.input)
    }
    for node in sized.graph.node:
        if node.op_type == "Shape" and (known := _known(shapes.get(node.input[0]))):
            bounds = {attribute.name: attribute.i for attribute in node.attribute}
            part = known[bounds.get("start", 0) : bounds.get("end", len(known))]
            value = helper.make_tensor(node.output[0], TensorProto.INT64, [len(part)], part)
            node.CopyFrom(helper.make_node("Constant", [], list(node.output), value=value))
    constants = Constants(sized)
    values = {
        node.input[0]: constants.value(node.input[0])
        for node in sized.graph.node
        if node.op_type == "If"
    }
    return {name: bool(value.any()) for name, value in values.items() if value is not None}


def _known(kind: TypeProto.Tensor | None) -> list[int]:
    """The sides of a tensor; empty where one of them is unknown."""
    if kind is None or not kind.HasField("shape"):
        return []
    sides = [side.dim_value for side in kind.shape.dim]
    return sides if all(sides) else []


def _inline(graph: GraphProto, node: NodeProto, condition: bool) -> None:
    """Append the nodes of the taken branch of an If."""
    wanted = "then_branch" if condition else "else_branch"
    branch = GraphProto()
    branch.CopyFrom(next(a.g for a in node.attribute if a.name == wanted))
    made = {name for one in branch.node for name in one.output}
    own = made | {tensor.name for tensor in branch.initializer}
    prefix = f"{node.name or node.output[0]}/{wanted}/"
    results = [entry.name for entry in branch.output]
    nodes.rename(branch, lambda name: prefix + name if name in own else name)
    graph.initializer.extend(branch.initializer)
    graph.node.extend(branch.node)
    for result, output in zip(results, node.output, strict=True):
        source = prefix + result if result in own else result
        graph.node.append(helper.make_node("Identity", [source], [output], name=prefix + output))
