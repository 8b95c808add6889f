"""The model file: safetensors, with the whole configuration in its header."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from scorer.errors import BadModel
from scorer.files import replacing_path
from trainer import networks
from trainer.absent import TRAIN, check_model
from trainer.bayesian import is_factory
from trainer.graph.dropout import KINDS
from trainer.network import BayesianNetwork

METADATA_KEY = "balentacq.model"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Card:
    """The configuration of a model: what is needed to rebuild the network, and its origin.

    backbone: configuration of the backbone, if the network's name does not imply it. temperature:
    divisor of the class scores, applied to the classifier's weights (trainer/calibration).
    """

    network: str
    dropout: float
    dropout_kind: str
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    height: int
    width: int
    pretrained: str
    training: dict[str, Any] = field(default_factory=dict)
    backbone: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    version: int = VERSION

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    def check(self) -> None:
        """Raise ValueError or TypeError for values out of range."""
        checks = {
            "dropout": 0 < self.dropout < 1,
            "dropout_kind": self.dropout_kind in KINDS,
            "classes": len(self.classes) > 1 and all(isinstance(n, str) for n in self.classes),
            "colours": len(self.colours) == len(self.classes)
            and all(len(colour) == 3 for colour in self.colours),
            "size": all(type(side) is int and side > 0 for side in self.size),
            "training": isinstance(self.training, dict),
            "backbone": isinstance(self.backbone, dict),
            "temperature": 0 < self.temperature < math.inf,
        }
        if wrong := [name for name, right in checks.items() if not right]:
            raise ValueError(f"{wrong[0]} is out of range")

    def build(self) -> BayesianNetwork:
        """Build the network with random weights."""
        return networks.build(
            self.network,
            len(self.classes),
            rate=self.dropout,
            kind=self.dropout_kind,
            config=self.backbone,
        )


def save(path: Path, network: BayesianNetwork, card: Card) -> None:
    """Write network and card atomically."""
    text = json.dumps(asdict(card), sort_keys=True)
    write_safetensors(path, network.state_dict(), {METADATA_KEY: text})


def load(path: Path, network: str | None = None) -> tuple[BayesianNetwork, Card]:
    """Read a model file; the network is returned in evaluation mode. Raises BadModel.

    network: "package.module:factory". A model of that network is built by running this code, which
    happens only if the caller gives the same name.
    """
    metadata, tensors = read_safetensors(path, remedy=TRAIN)
    if METADATA_KEY not in metadata:
        raise BadModel(
            f"{path} is a safetensors file, but not a model of this project", remedy=TRAIN
        )
    card = _card(metadata[METADATA_KEY], path)
    if is_factory(card.network) and network != card.network:
        raise BadModel(
            f"{path} needs code of yours, {card.network}",
            remedy=f"allow it to run with --network {card.network}",
        )
    built = card.build()
    try:
        built.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadModel(f"{path} does not fit its network {card.network}", remedy=TRAIN) from error
    return built.eval(), card


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and header atomically."""
    from safetensors.torch import save as to_bytes  # noqa: PLC0415

    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing_path(path) as temporary:
        # Through memory, because safetensors' own writer makes files readable by their owner only.
        temporary.write_bytes(to_bytes(whole, metadata))


def read_safetensors(path: Path, *, remedy: str) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    """Header and tensors of a safetensors file. Raises BadModel if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    check_model(path, remedy)
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadModel(f"{path} is no whole safetensors file: {error}", remedy=remedy) from error


def _card(text: str, path: Path) -> Card:
    try:
        values: dict[str, Any] = json.loads(text)
        version = values["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{path}: its configuration cannot be read", remedy=TRAIN) from error
    if version != VERSION:
        raise BadModel(
            f"{path}: model version {version}, this program reads version {VERSION}",
            remedy="use the version of balentacq that wrote it, or train again",
        )
    for name, usual in (("backbone", {}), ("temperature", 1.0)):
        values.setdefault(name, usual)  # missing in files of older versions
    if (
        set(values) != {entry.name for entry in fields(Card)}
        or not isinstance(values["network"], str)
        or not (values["network"] in networks.NAMES or is_factory(values["network"]))
    ):
        raise BadModel(f"{path}: its configuration is not one of this version", remedy=TRAIN)
    try:
        values["classes"] = tuple(values["classes"])
        values["colours"] = tuple(tuple(colour) for colour in values["colours"])
        card = Card(**values)
        card.check()
    except (TypeError, ValueError) as error:
        raise BadModel(
            f"{path}: its configuration makes no sense: {error}", remedy=TRAIN
        ) from error
    return card
