"""Bakes a model, its dropout passes and an acquisition into one ONNX graph with its contract."""

import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import ModelProto, NodeProto

from scorer import __version__
from scorer.contract import (
    EXCLUDE,
    IMAGE,
    LABEL,
    MAP,
    METADATA_KEY,
    NOISE,
    PIXEL,
    SCORE,
    Contract,
)
from scorer.errors import BadGraph, BadInput
from scorer.files import replacing_path
from trainer.model import Card, weights_sha256
from trainer.network import BayesianNetwork
from trainer.scoring import ScoringNetwork

OPSET = 18
# TensorRT's parser and older runtimes read it; onnx writes a newer one by default.
IR_VERSION = 10
MOST_TOP = 3839  # TensorRT's TopK takes K < 3840


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to bake. `size` is the grid (height, width); None: the size of training."""

    passes: int = 20
    acquisition: str = "balentacq"
    size: tuple[int, int] | None = None
    top_k: int = 64
    mask_seed: int = 0
    with_map: bool = True


def contract_of(network: BayesianNetwork, card: Card, options: Options) -> Contract:
    """The contract that a graph baked with these options fulfils."""
    height, width = options.size or card.size
    if options.top_k > min(MOST_TOP, height * width):
        raise BadInput(
            f"--top {options.top_k}: at most {min(MOST_TOP, height * width)}",
            remedy="TensorRT sorts at most 3839 values, and a grid has only so many pixels",
        )
    return Contract(
        acquisition=options.acquisition,
        passes=options.passes,
        dropout=card.dropout,
        mask_seed=options.mask_seed,
        height=height,
        width=width,
        classes=card.classes,
        colours=card.colours,
        top_k=options.top_k,
        has_map=options.with_map,
        network=card.network,
        weights_sha256=weights_sha256(network),
        versions={"balentacq": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
    )


def reference(network: BayesianNetwork, contract: Contract) -> ScoringNetwork:
    """The PyTorch module that a contract describes: what is traced, and what verify compares to."""
    return ScoringNetwork(
        network,
        passes=contract.passes,
        mask_seed=contract.mask_seed,
        acquisition=contract.acquisition,
        size=contract.grid,
        top_k=contract.top_k,
    ).eval()


def bake(network: BayesianNetwork, contract: Contract) -> ModelProto:
    """Trace the scoring network and write the contract into it.

    The same network, contract and versions give the same bytes.
    """
    model = _trace(reference(network, contract), contract)
    _strip(model)
    model.ir_version = IR_VERSION
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model


def classifier(model: ModelProto, contract: Contract) -> NodeProto:
    """The convolution that holds all passes: the one with (1 + m)·C outputs."""
    wide = (1 + contract.passes) * len(contract.classes)
    weights = {tensor.name for tensor in model.graph.initializer if tensor.dims[:1] == [wide]}
    found = [n for n in model.graph.node if n.op_type == "Conv" and n.input[1] in weights]
    if len(found) != 1:
        raise BadGraph(
            f"the graph has {len(found)} classifiers of {wide} outputs, expected one",
            remedy="it was edited: export it again",
        )
    node: NodeProto = found[0]
    return node


def save(model: ModelProto, path: Path) -> None:
    """Write a graph; the file appears whole or not at all."""
    with replacing_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _trace(module: ScoringNetwork, contract: Contract) -> ModelProto:
    height, width = contract.grid
    # Two images: the exporter would take a batch of one for a constant.
    image = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    exclude = torch.zeros(2, height, width, dtype=torch.uint8)
    given = {IMAGE: image, EXCLUDE: exclude, NOISE: torch.full((2, height, width), 0.5)}
    inputs = {name: given[name] for name in contract.inputs}
    batch = torch.export.Dim("B", min=1, max=4096)
    with _quiet():
        program: Any = torch.onnx.export(
            module,
            tuple(inputs.values()),
            dynamo=True,
            external_data=False,
            verbose=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=[SCORE, PIXEL, LABEL, MAP],
            dynamic_shapes={name: {0: batch} for name in inputs},
        )
    model: ModelProto = program.model_proto
    if not contract.has_map:
        del model.graph.output[-1]
    return model


def _strip(model: ModelProto) -> None:
    """Remove what differs between machines: the exporter notes stack traces with local paths."""
    parts: list[Iterable[Any]] = [[model, model.graph], model.graph.node, model.graph.initializer]
    parts += [model.graph.input, model.graph.output, model.graph.value_info]
    for part in parts:
        for item in part:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")


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
