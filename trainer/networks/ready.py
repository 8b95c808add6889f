"""Lets any module that returns feature maps serve as the backbone of a pixel head."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scorer.errors import BadInput
from scorer.images.preprocessing import PRESETS
from trainer import bayesian

_IMAGENET = PRESETS["imagenet"]
_PROBE = (224, 224)  # nearly every backbone takes this size
_REMEDY = (
    "expected a module that gives a list of maps [B, channels, h, w] of a normalised image "
    "[B, 3, H, W], such as the stages of a network"
)


class ReadyBackbone(nn.Module):
    """A user's module as a backbone: from a normalised image [B, 3, H, W] to a list of maps.

    module: returns maps of one or several strides, as a list, a mapping, or transformers'
    feature_maps. Its attributes mean and std default to ImageNet's. It is run once. Raises BadInput
    for a module that returns anything else.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.eval()
        self.mean = bayesian.statistic(module, "mean", _IMAGENET[0])
        self.std = bayesian.statistic(module, "std", _IMAGENET[1])
        try:
            with torch.inference_mode():
                maps = self(torch.zeros(1, 3, *_PROBE))
        except BadInput:
            raise
        except Exception as error:  # the user's code
            raise BadInput(
                f"{type(module).__name__} does not run on images (1, 3, 224, 224): {error}",
                remedy=_REMEDY,
            ) from error
        self.channels = tuple(one.shape[1] for one in maps)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        maps = _maps(self.module(image))
        if not maps or not all(isinstance(one, Tensor) and one.ndim == 4 for one in maps):
            kinds = ", ".join(sorted({type(one).__name__ for one in maps})) or "nothing"
            raise BadInput(f"{type(self.module).__name__} gives {kinds}", remedy=_REMEDY)
        return maps


def _maps(output: Any) -> list[Any]:
    found = getattr(output, "feature_maps", output)
    if isinstance(found, Tensor):
        return [found]
    if isinstance(found, Mapping):
        return list(found.values())
    return list(found) if isinstance(found, Sequence) else [found]
