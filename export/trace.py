"""From PyTorch to ONNX: the two halves of a scoring graph, before and behind the features."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, nn

from export import nodes
from scorer.contract import EXCLUDE, FEATURES, IMAGE, LABEL, MAP, NOISE, PIXEL, SCORE, Contract
from trainer.network import Scorable
from trainer.scoring import ScoringTail


class _Trunk(nn.Module):
    def __init__(self, network: Scorable) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.features(image)


def trunk(network: Scorable, contract: Contract, opset: int) -> ModelProto:
    """IMAGE to FEATURES."""
    # Two images: the exporter would take a batch of one for a constant.
    image = torch.zeros(2, *contract.grid, 3, dtype=torch.uint8)
    return _exported(_Trunk(network).eval(), {IMAGE: image}, [FEATURES], opset)


def tail(
    module: ScoringTail, features: tuple[int, ...], contract: Contract, opset: int
) -> ModelProto:
    """FEATURES, EXCLUDE and perhaps NOISE to the scores; `features`: shape behind the batch."""
    inputs = {
        FEATURES: torch.zeros(2, *features),
        EXCLUDE: torch.zeros(2, *contract.map, dtype=torch.uint8),
    }
    if contract.stochastic:
        inputs[NOISE] = torch.full((2, *contract.map), 0.5)
    model = _exported(module.eval(), inputs, [SCORE, PIXEL, LABEL, MAP], opset)
    if not contract.has_map:
        del model.graph.output[-1]
    return model


def _exported(
    module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int
) -> ModelProto:
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
            warnings.simplefilter("ignore")  # the exporter's notes on its own internals
            yield
    finally:
        logger.setLevel(level)
