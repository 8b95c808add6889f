"""The networks that can be trained, by name."""

from collections.abc import Callable

from torch import nn

from trainer.dropout import FeatureDropout
from trainer.network import BayesianNetwork
from trainer.networks.deeplab import DeepLabV3Plus
from trainer.networks.efficientnet import EfficientNetLite0
from trainer.networks.mobilenet import MobileNetV2

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "deeplabv3plus-efficientnet-lite0": EfficientNetLite0,
    "deeplabv3plus-mobilenetv2": MobileNetV2,
}
NAMES = tuple(BACKBONES)


def build(name: str, classes: int, *, rate: float, kind: str) -> BayesianNetwork:
    """A network with random weights; `rate` and `kind` are those of its dropout."""
    backbone = BACKBONES[name]()
    return BayesianNetwork(
        DeepLabV3Plus(backbone),
        classes,
        FeatureDropout(rate, kind),
        mean=backbone.mean,  # type: ignore[arg-type]
        std=backbone.std,  # type: ignore[arg-type]
    )
