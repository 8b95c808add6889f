"""Exports a network, its dropout passes and an acquisition function as one ONNX graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import nn

from export import stages, trace
from export.grafting import ForeignNetwork
from export.join import join, opset
from export.reweigh import mark, reweighed, structure
from scorer import __version__
from scorer.contract import ORIGINS, Contract
from scorer.errors import BadInput
from scorer.files import replacing_path
from trainer.graph import tiling
from trainer.graph.raster import Whole
from trainer.graph.scorable import Scorable
from trainer.graph.scoring import ScoringNetwork, ScoringTail
from trainer.graph.subpixel import factor_of
from trainer.model import Card
from trainer.network import BayesianNetwork

# Older opsets lack convolutions in bfloat16.
OPSETS = {"float32": 18, "float16": 18, "bfloat16": 22}
MOST_TOP = 3839  # TensorRT's TopK takes K < 3840


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """Options of a scoring graph. size: of the grid, (height, width); None: the size of training.

    stride: the map has one pixel for every stride x stride pixels of the grid; None: the stride of
    the network's features. target: "cpu" or "gpu", which selects the layout of the same formulas
    (trainer/graph/raster.py). precision: of the network; None: its own.
    """

    passes: int = 20
    acquisition: str = "balentacq"
    size: tuple[int, int] | None = None
    stride: int | None = 1
    target: str = "cpu"
    precision: str | None = None
    top_k: int = 64
    mask_seed: int = 0
    with_map: bool = True


def contract_for(network: Scorable, card: Card, options: GraphOptions) -> Contract:
    """The contract of a graph that is exported with these options.

    Raises BadInput where stride, top_k or precision does not fit the network.
    """
    height, width = options.size or card.size
    foreign = isinstance(network, ForeignNetwork)
    features = features_of(network, (height, width))[1:]
    side = factor_of(network.classifier)
    scores = (side * features[0], side * features[1])
    stride = options.stride or tiling.coarsest(
        scores, (height, width), align_corners=network.align_corners, top_k=options.top_k
    )
    if height % stride or width % stride:
        raise BadInput(
            f"--stride {stride}: the grid {height}x{width} is not a whole multiple of it",
            remedy="choose another --size or --stride 1",
        )
    if stride > 1 and network.align_corners:
        raise BadInput(
            f"--stride {stride}: {card.network} enlarges with aligned corners, where the middle of "
            "a block of pixels lies elsewhere",
            remedy="choose --stride 1",
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
        raster=tiling.choose(
            network.classifier,
            features,
            (height // stride, width // stride),
            align_corners=network.align_corners,
            target=options.target,
        ),
        origin=ORIGINS[foreign],
        network=card.network,
        output=network.head.output if isinstance(network, ForeignNetwork) else "",
        align_corners=network.align_corners,
        precision=precision_of(network, options.precision),
        preprocessing=network.preprocessing,
        weights_sha256=network.sha256,
        versions={"balentacq": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
    )


def reference(
    network: Scorable, contract: Contract, raster: Callable[..., nn.Module] = Whole
) -> ScoringNetwork:
    """The scoring network of a contract in PyTorch; by default unsplit, the reference of verify."""
    return ScoringNetwork(
        network,
        passes=contract.passes,
        mask_seed=contract.mask_seed,
        acquisition=contract.acquisition,
        size=contract.map,
        top_k=contract.top_k,
        raster=raster,
    ).eval()


def bake(network: Scorable, contract: Contract, like: ModelProto | None = None) -> ModelProto:
    """Trace the scoring network and write the contract into the graph's metadata.

    The same network, contract and versions give the same bytes. like: an earlier graph; if its
    structure is the same, its weights are replaced, and nothing is traced.
    """
    features = features_of(network, contract.grid)
    raster = tiling.raster(contract.raster, features[1:], contract.map)
    behind = reference(network, contract, raster).tail
    known = None if like is None else reweighed(like, network, behind, contract)
    return _traced(network, behind, features, contract) if known is None else known


def _traced(
    network: Scorable, behind: ScoringTail, features: tuple[int, int, int], contract: Contract
) -> ModelProto:
    if isinstance(network, ForeignNetwork):
        trunk = network.trunk()
    else:
        assert isinstance(network, BayesianNetwork), "a network of this project or somebody's file"
        trunk = trace.trunk(network, contract, OPSETS[contract.precision])
    tail = trace.tail(behind, features, contract, opset(trunk))
    model = join(trunk, tail, contract)
    stages.name(model)
    mark(model, structure(network, contract))
    onnx.checker.check_model(model, full_check=True)
    return model


def earlier(path: Path) -> ModelProto | None:
    """The graph that will be overwritten at `path`, whose structure may be reused; None without
    one.
    """
    try:
        return onnx.load(path, format="protobuf", load_external_data=False)
    except Exception:  # no file, or an incomplete one: protobuf's errors have no common base
        return None


def save(model: ModelProto, path: Path) -> None:
    """Write a graph atomically."""
    with replacing_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def precision_of(network: Scorable, asked: str | None) -> str:
    """The requested precision, or the network's own. Raises BadInput."""
    own = network.precision
    if asked in (None, own):
        return own
    if isinstance(network, ForeignNetwork):
        raise BadInput(
            f"--precision {asked}: {network.foreign.path} is a network in {own}",
            remedy="convert the network in its own framework, and export it again",
        )
    return asked


def features_of(network: Scorable, grid: tuple[int, int]) -> tuple[int, int, int]:
    """Channels, height and width of the features of an image of size `grid`."""
    with torch.inference_mode():
        channels, height, width = network.features(torch.zeros(1, *grid, 3, dtype=torch.uint8))[
            0
        ].shape
    return channels, height, width
