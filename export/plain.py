"""Exports the network alone, from an image to a class map or probabilities."""

from dataclasses import dataclass

import onnx
import torch
from onnx import ModelProto, helper

from export import any_size, trace
from export.grafting import ForeignNetwork
from export.graph import OPSETS, features_of, precision_of
from export.join import join, opset
from export.plain_tail import PlainTail
from scorer import __version__
from scorer.contract import FEATURES, IMAGE
from scorer.errors import BadInput
from scorer.plain import CLASS_MAP, METADATA_KEY, MOST_CLASSES, PlainContract
from trainer.graph.scorable import Scorable
from trainer.model import Card
from trainer.network import BayesianNetwork

_PACKED = "image_nhwc"
# largest stride of the networks: then every feature map is enlarged by a whole factor
MULTIPLE = 32


@dataclass(frozen=True, kw_only=True)
class PlainOptions:
    """Options of a plain graph. size: of the input, (height, width); None: that of training.
    output, layout: see PlainContract. precision: of the network; None: its own. any_size: whether
    the graph takes images of any size whose sides are multiples of MULTIPLE.
    """

    size: tuple[int, int] | None = None
    output: str = CLASS_MAP
    layout: str = "nhwc"
    precision: str | None = None
    any_size: bool = False


def contract_for(network: Scorable, card: Card, options: PlainOptions) -> PlainContract:
    """The contract of a plain graph with these options. Raises BadInput."""
    height, width = options.size or card.size
    if len(card.classes) > MOST_CLASSES:
        raise BadInput(
            f"{card.network} has {len(card.classes)} classes, and a mask has room for "
            f"{MOST_CLASSES}",
            remedy="use the network in its own framework",
        )
    if options.any_size:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in (height, width))
    return PlainContract(
        network=card.network,
        height=height,
        width=width,
        classes=card.classes,
        colours=card.colours,
        output=options.output,
        layout=options.layout,
        precision=precision_of(network, options.precision),
        preprocessing=network.preprocessing,
        multiple=MULTIPLE if options.any_size else None,
        weights_sha256=network.sha256,
        versions={"balentacq": __version__, "torch": torch.__version__, "onnx": onnx.__version__},
    )


def bake(network: Scorable, contract: PlainContract) -> ModelProto:
    """Trace the network and write the contract into the graph's metadata.

    The same network, contract and versions give the same bytes. Raises BadInput where the graph
    cannot take images of any size.
    """
    if isinstance(network, ForeignNetwork):
        if contract.multiple is not None:
            raise BadInput(
                f"--any-size: {network.foreign.path} is not a network of this project",
                remedy="leave it away; that file itself may take images of any size",
            )
        trunk = network.trunk()
    else:
        assert isinstance(network, BayesianNetwork), "a network of this project or somebody's file"
        trunk = trace.trunk(network, contract, OPSETS[contract.precision])
    behind = PlainTail(network, contract.grid, contract.output).eval()
    features = torch.zeros(2, *features_of(network, contract.grid))
    tail = trace.traced(behind, {FEATURES: features}, [contract.output], opset(trunk))
    model = join(trunk, tail, contract, METADATA_KEY)
    model.graph.name = "network"
    if contract.layout == "nchw":
        _take_channels_first(model)
    if contract.multiple is not None:
        any_size.free(model, contract)
        any_size.check(model, network, contract)
    onnx.checker.check_model(model, full_check=True)
    return model


def _take_channels_first(model: ModelProto) -> None:
    """Change the input to [B, 3, H, W] and prepend a Transpose to [B, H, W, 3]."""
    graph = model.graph
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == IMAGE:
                node.input[index] = _PACKED
    entry = next(one for one in graph.input if one.name == IMAGE)
    batch, height, width, channels = (
        dim.dim_param or dim.dim_value for dim in entry.type.tensor_type.shape.dim
    )
    turned = helper.make_tensor_value_info(
        IMAGE, entry.type.tensor_type.elem_type, [batch, channels, height, width]
    )
    entry.CopyFrom(turned)
    node = helper.make_node("Transpose", [IMAGE], [_PACKED], name="turn", perm=[0, 2, 3, 1])
    graph.node.insert(0, node)
