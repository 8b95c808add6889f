"""Traces the two halves of a scoring graph from PyTorch: before and behind the features."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor, nn

from export import nodes
from scorer.contract import BEST, EXCLUDE, FEATURES, IMAGE, MAPS, NOISE, Contract
from scorer.plain import PlainContract
from trainer.graph.scoring import ScoringTail
from trainer.network import BayesianNetwork

_FEW = 8


class _Trunk(nn.Module):
    def __init__(self, network: BayesianNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.features(image)


def trunk(network: BayesianNetwork, contract: Contract | PlainContract, opset: int) -> ModelProto:
    """Trace the graph from IMAGE to FEATURES."""
    # A batch of 2, because the exporter would take a batch of 1 for a constant.
    image = torch.zeros(2, *contract.grid, 3, dtype=torch.uint8)
    if contract.precision != network.precision:
        network = network.halved(contract.precision)
    model = traced(_Trunk(network).eval(), {IMAGE: image}, [FEATURES], opset)
    _ask_the_cast(model)
    if contract.precision == "bfloat16":
        _round_weights(model)
    return model


def tail(
    module: ScoringTail, features: tuple[int, ...], contract: Contract, opset: int
) -> ModelProto:
    """Trace the graph from FEATURES, EXCLUDE and, if stochastic, NOISE to the scores.

    features: shape of the features without the batch axis.
    """
    inputs = {
        FEATURES: torch.zeros(2, *features),
        EXCLUDE: torch.zeros(2, *contract.map, dtype=torch.uint8),
    }
    if contract.stochastic:
        inputs[NOISE] = torch.full((2, *contract.map), 0.5)
    model = traced(module.eval(), inputs, [*BEST, *MAPS], opset)
    _name_constants(model, module)
    if not contract.has_map:
        del model.graph.output[-len(MAPS) :]
    return model


def _name_constants(model: ModelProto, module: nn.Module) -> None:
    """Give tensors of the module their names again where the exporter made constants of them, one
    or several equal ones.

    Not to a few numbers, which may stand for something else as well.
    """
    own, graph = module.state_dict(), model.graph
    there = {entry.name for entry in graph.initializer}
    for name, tensor in own.items():
        if name in there or tensor.numel() <= _FEW:
            continue
        values = tensor.detach().cpu().numpy()
        equal = [one.name for one in graph.initializer if one.name not in own and _is(one, values)]
        for position in reversed(range(len(graph.initializer))):
            if graph.initializer[position].name in equal[1:]:
                del graph.initializer[position]
        nodes.rename(graph, lambda old: name if old in equal else old)  # noqa: B023


def _is(entry: TensorProto, values: npt.NDArray[Any]) -> bool:
    """Whether an initializer holds these values, in the same shape and type."""
    if tuple(entry.dims) != values.shape:
        return False
    found = numpy_helper.to_array(entry)
    return found.dtype == values.dtype and np.array_equal(found, values)


def _ask_the_cast(model: ModelProto) -> None:
    """Let Shape nodes read the image behind its Cast: TensorRT reads a uint8 input with Cast
    only.
    """
    readers = [node for node in model.graph.node if IMAGE in node.input]
    cast = next(node for node in readers if node.op_type == "Cast")
    for node in readers:
        if node.op_type == "Shape":
            node.input[0] = cast.output[0]
    # The Cast comes first, because nodes must be in topological order.
    model.graph.node.remove(cast)
    model.graph.node.insert(0, cast)


def _round_weights(model: ModelProto) -> None:
    """Round weights of convolutions to bfloat16: the exporter folds BatchNorm into them in
    float32.
    """
    of_convolutions = {
        name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]
    }
    for tensor in model.graph.initializer:
        if tensor.name in of_convolutions and tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    del model.graph.value_info[:]  # they record float32


def traced(
    module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int
) -> ModelProto:
    """Trace a module as an ONNX graph with a dynamic batch.

    inputs: example tensors with a batch of 2, by input name. outputs: names of the outputs.
    """
    batch = torch.export.Dim("B", min=1, max=4096)
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            module,
            tuple(inputs.values()),
            dynamo=True,
            external_data=False,
            verbose=False,
            opset_version=opset,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
        )
    model: ModelProto = program.model_proto
    nodes.strip(model)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # warnings about the exporter's internals
            yield
    finally:
        logger.setLevel(level)
