"""Bakes a model, its dropout passes and an acquisition into one ONNX graph with its contract."""

import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import GraphProto, ModelProto, TensorProto

from scorer import __version__
from scorer.contract import (
    EXCLUDE,
    FEATURES,
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
from trainer.raster import Strips, Whole
from trainer.scoring import ScoringNetwork

OPSET = 18
# TensorRT's parser and older runtimes read it; onnx writes a newer one by default.
IR_VERSION = 10
MOST_TOP = 3839  # TensorRT's TopK takes K < 3840


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to bake. `size` is the grid (height, width); None: the size of training.

    stride: one pixel of the map for every stride x stride pixels of the grid. target: "cpu" or
    "gpu", which decides how the same formulas are laid out (trainer/raster.py).
    """

    passes: int = 20
    acquisition: str = "balentacq"
    size: tuple[int, int] | None = None
    stride: int = 1
    target: str = "cpu"
    top_k: int = 64
    mask_seed: int = 0
    with_map: bool = True


def contract_of(network: BayesianNetwork, card: Card, options: Options) -> Contract:
    """The contract that a graph baked with these options fulfils."""
    height, width = options.size or card.size
    stride = options.stride
    if height % stride or width % stride:
        raise BadInput(
            f"--stride {stride}: the grid {height}x{width} is not a whole multiple of it",
            remedy="choose another --size or --stride 1",
        )
    most = min(MOST_TOP, height * width // stride**2)
    if options.top_k > most:
        raise BadInput(
            f"--top {options.top_k}: at most {most}",
            remedy="TensorRT sorts at most 3839 values, and a map has only so many pixels",
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
        stride=stride,
        layout=_layout(network, (height, width), options),
        network=card.network,
        weights_sha256=weights_sha256(network),
        versions={"balentacq": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
    )


def reference(
    network: BayesianNetwork, contract: Contract, layout: str = "whole"
) -> ScoringNetwork:
    """The PyTorch module that a contract describes: what verify compares to, in one piece."""
    return ScoringNetwork(
        network,
        passes=contract.passes,
        mask_seed=contract.mask_seed,
        acquisition=contract.acquisition,
        size=contract.map,
        top_k=contract.top_k,
        raster=Strips if layout == "strips" else Whole,
    ).eval()


def bake(network: BayesianNetwork, contract: Contract) -> ModelProto:
    """Trace the scoring network and write the contract into it.

    The same network, contract and versions give the same bytes.
    """
    model = _trace(reference(network, contract, contract.layout), contract)
    _name_features(model)
    _strip(model)
    model.ir_version = IR_VERSION
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model


def pass_weights(model: ModelProto, contract: Contract) -> TensorProto:
    """The weights of all passes: the one tensor of m·C filters."""
    wide = contract.passes * len(contract.classes)
    tensors = model.graph.initializer
    found = [t for t in tensors if t.dims[:1] == [wide] and math.prod(t.dims[1:]) > 1]
    if len(found) != 1:
        raise BadGraph(
            f"the graph has {len(found)} classifiers of {wide} outputs, expected one",
            remedy="it was edited: export it again",
        )
    weights: TensorProto = found[0]
    return weights


def save(model: ModelProto, path: Path) -> None:
    """Write a graph; the file appears whole or not at all."""
    with replacing_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _layout(network: BayesianNetwork, size: tuple[int, int], options: Options) -> str:
    """Strips for CPUs, where the grid allows them."""
    if options.target == "gpu":
        return "whole"
    with torch.inference_mode():
        seen = network.eval().features(torch.zeros(1, *size, 3, dtype=torch.uint8))
    height, width = (side // options.stride for side in size)
    features = (seen.shape[2], seen.shape[3])
    fits = Strips.fits(network.classifier, features, (height, width))
    return "strips" if fits else "whole"


def _trace(module: ScoringNetwork, contract: Contract) -> ModelProto:
    # Two images: the exporter would take a batch of one for a constant.
    image = torch.zeros(2, *contract.grid, 3, dtype=torch.uint8)
    exclude = torch.zeros(2, *contract.map, dtype=torch.uint8)
    given = {IMAGE: image, EXCLUDE: exclude, NOISE: torch.full((2, *contract.map), 0.5)}
    inputs = {name: given[name] for name in contract.inputs}
    batch = torch.export.Dim("B", min=1, max=4096)
    with _quiet(), torch.no_grad():
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


def _name_features(model: ModelProto) -> None:
    """Call the trunk's output FEATURES, so that runtimes and tests can find the seam."""
    nodes = model.graph.node
    trunk = [
        node for node in nodes if any("'network.trunk" in p.value for p in node.metadata_props)
    ]
    inside = {name for node in trunk for name in node.output}
    outside = [node for node in nodes if not inside & set(node.output)]
    crossing = inside & {name for node in outside for name in node.input}
    assert len(crossing) == 1, f"the trunk hands on {sorted(crossing)}"
    for node in nodes:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name in crossing:
                    names[index] = FEATURES
    for entry in model.graph.value_info:
        if entry.name in crossing:
            entry.name = FEATURES


def _strip(model: ModelProto) -> None:
    """Remove what differs between machines: the exporter notes stack traces with local paths."""
    _clear([model])
    _strip_graph(model.graph)


def _strip_graph(graph: GraphProto) -> None:
    """The graph and those inside its nodes."""
    _clear([graph], graph.node, graph.initializer, graph.input, graph.output, graph.value_info)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip_graph(attribute.g)


def _clear(*parts: Iterable[Any]) -> None:
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
