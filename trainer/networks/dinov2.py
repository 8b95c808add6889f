"""A DINOv2 vision transformer (Oquab et al. 2023) of the package transformers, as a frozen
backbone.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scorer.errors import BadModel, MissingDependency

_STAGES = 4  # evenly spaced layers, including the last one
# Settings that determine the shape, with their ranges, because a model file is not trusted.
_SHAPE: Mapping[str, tuple[float, float]] = {
    "hidden_size": (1, 4096),
    "num_hidden_layers": (_STAGES, 64),
    "num_attention_heads": (1, 64),
    "mlp_ratio": (1, 16),
    "patch_size": (2, 64),
    "image_size": (2, 4096),
    "use_swiglu_ffn": (0, 1),
    "qkv_bias": (0, 1),
    "layer_norm_eps": (0, 1),
}
_FILE = "model.safetensors"  # the file that transformers reads in a folder
_REMEDY = "give --weights the model.safetensors of a DINOv2 model, its config.json beside it"

Config = Mapping[str, Any]


class Dinov2(nn.Module):
    """Maps of four layers, all with the stride of a patch. config: see `read_config`."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, config: Config) -> None:
        super().__init__()
        check_config(config)
        package, layers = _package(), int(config["num_hidden_layers"])
        indices = [math.ceil(layers * part / _STAGES) for part in range(1, _STAGES + 1)]
        self.module = package.Dinov2Backbone(package.Dinov2Config(**config, out_indices=indices))
        self._enlarge = self.module.embeddings.interpolate_pos_encoding
        self._positions: dict[tuple[int, int], Tensor] = {}
        self.module.embeddings.interpolate_pos_encoding = self._position
        self._shape = dict(sorted(config.items()))
        self.patch = int(config["patch_size"])
        self.channels = (int(config["hidden_size"]),) * _STAGES

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        # The module would crop to whole patches.
        whole = [-(-side // self.patch) * self.patch for side in image.shape[2:]]
        if whole != list(image.shape[2:]):
            image = F.interpolate(image, size=whole, mode="bilinear", align_corners=False)
        return list(self.module(image).feature_maps)

    def extra_repr(self) -> str:
        return repr(self._shape)  # cache keys of features depend on it

    def _position(self, embeddings: Tensor, height: int, width: int) -> Tensor:
        """The position embeddings of all patches. In a graph they are constants, because TensorRT
        lacks bicubic resizing.
        """
        if torch.compiler.is_exporting() and (height, width) in self._positions:
            return self._positions[height, width].to(embeddings.dtype)
        found: Tensor = self._enlarge(embeddings, height, width)
        self._positions[height, width] = found.detach().clone()
        return found

    def load(self, weights: Path) -> None:
        """Load the weights of a file as published for transformers. Raises BadModel."""
        try:
            published, report = _package().Dinov2Backbone.from_pretrained(
                weights.parent, local_files_only=True, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
            if lacking := report["missing_keys"]:
                raise ValueError(f"it lacks {min(lacking)} ({len(lacking)} tensors in all)")
            self.module.load_state_dict(published.state_dict())
        # exceptions of transformers and of the libraries that it reads with
        except Exception as error:
            first = str(error).splitlines() or [type(error).__name__]
            raise BadModel(f"{weights} cannot be read: {first[0]}", remedy=_REMEDY) from error


def read_config(weights: Path) -> dict[str, Any]:
    """Read the settings that determine the shape of a model from the config.json beside its
    weights.

    Raises BadModel.
    """
    path = weights.parent / "config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        kind = found["model_type"]
        config = {name: found[name] for name in _SHAPE if name in found}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{path} cannot be read", remedy=_REMEDY) from error
    if kind != "dinov2" or weights.name != _FILE or not weights.is_file():
        raise BadModel(f"{weights} is no {_FILE} of a DINOv2 model", remedy=_REMEDY)
    return config


def check_config(config: Config) -> None:
    """Raise BadModel unless the settings are those of a DINOv2 model."""
    needed = {"hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size", "image_size"}
    right = needed <= set(config) <= set(_SHAPE) and all(
        isinstance(value, int | float) and _SHAPE[name][0] <= value <= _SHAPE[name][1]
        for name, value in config.items()
    )
    if not right or config["hidden_size"] % config["num_attention_heads"]:
        raise BadModel("this is the shape of no DINOv2 model", remedy=_REMEDY)


def _package() -> Any:
    try:
        import transformers  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "pixelhead-dinov2 needs transformers", remedy="pip install 'balentacq[vit]'"
        ) from error
    return transformers
