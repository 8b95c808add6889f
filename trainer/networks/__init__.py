"""The networks that can be trained, by name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from scorer.errors import BadInput
from trainer import bayesian
from trainer.graph.dropout import FeatureDropout
from trainer.network import BayesianNetwork
from trainer.networks.deeplab import DeepLabV3Plus
from trainer.networks.dinov2 import Dinov2
from trainer.networks.efficientnet import EfficientNetLite0
from trainer.networks.fpn import Fpn
from trainer.networks.mobilenet import MobileNetV2
from trainer.networks.pixelhead import PixelHead
from trainer.networks.ready import ReadyBackbone
from trainer.networks.resnet import ResNet50

HEAD = "pixelhead-"  # prefix of the name of a backbone
# by name: constructors of the trunk and of its backbone
_PARTS: dict[str, tuple[Callable[[nn.Module], nn.Module], Callable[[], nn.Module]]] = {
    f"{HEAD}efficientnet-lite0": (PixelHead, EfficientNetLite0),
    f"{HEAD}mobilenetv2": (PixelHead, MobileNetV2),
    # A dilated one would cost three times as much.
    f"{HEAD}resnet50": (PixelHead, partial(ResNet50, dilated=False)),
    "deeplabv3plus-efficientnet-lite0": (DeepLabV3Plus, EfficientNetLite0),
    "deeplabv3plus-mobilenetv2": (DeepLabV3Plus, MobileNetV2),
    "fpn-resnet50": (Fpn, ResNet50),
}
VIT = f"{HEAD}dinov2"  # the name does not imply the shape of this backbone
NAMES = (*_PARTS, VIT)


Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]


def build(
    name: str,
    classes: int,
    *,
    rate: float,
    kind: str,
    statistics: Statistics | None = None,
    config: Mapping[str, Any] | None = None,
) -> BayesianNetwork:
    """Build a network before training; rate, kind: of its dropout.

    name: one of NAMES; or package.module:factory, which is imported and called with the number of
    classes; or pixelhead-package.module:factory, called for a backbone. Only pass names that the
    user gave, as their code is run. statistics: mean and standard deviation of pixels from 0 to 1,
    in place of the backbone's. config: shape of the backbone, if its name does not imply it. Raises
    BadInput, BadModel.
    """
    dropout = FeatureDropout(rate, kind)
    if bayesian.is_factory(name) and not name.startswith(HEAD):
        return _ready_made(name, classes, dropout)
    trunk, backbone = _parts(name, config)
    mean, std = statistics or _own_statistics(backbone)
    return BayesianNetwork(
        trunk,
        nn.Conv2d(int(trunk.channels), classes, kernel_size=1),  # type: ignore[arg-type]
        dropout,
        mean=mean,
        std=std,
    )


def _parts(name: str, config: Mapping[str, Any] | None) -> tuple[nn.Module, nn.Module]:
    """The trunk of a network, and its backbone."""
    if name == VIT:
        vit = Dinov2(config or {})
        return PixelHead(vit), vit
    if bayesian.is_factory(name):
        ready = ReadyBackbone(bayesian.made(name.removeprefix(HEAD)))
        return PixelHead(ready), ready
    make_trunk, make_backbone = _PARTS[name]
    backbone = make_backbone()
    return make_trunk(backbone), backbone


def _own_statistics(backbone: nn.Module) -> Statistics:
    return backbone.mean, backbone.std  # type: ignore[return-value]


def _ready_made(name: str, classes: int, dropout: FeatureDropout) -> BayesianNetwork:
    network = bayesian.make_bayesian(bayesian.made(name, classes), dropout)
    if network.classifier.out_channels != classes:
        raise BadInput(
            f"--network {name}: its classifier has {network.classifier.out_channels} outputs, the "
            f"dataset {classes} classes",
            remedy="the factory must build a network for the number of classes that it is given",
        )
    return network
