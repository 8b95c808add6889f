"""Saves and restores the state of a training run after an epoch, in safetensors."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scorer.errors import BadModel
from trainer.model import read_safetensors, write_safetensors

_KEY = "balentacq.training"


def save(
    path: Path,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    identity: str,
    epochs: int,
) -> None:
    """Write weights, optimiser state and the number of threads after `epochs` epochs,
    atomically.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(v) for name, v in slots.items()}
    threads = torch.get_num_threads()
    header = json.dumps({"identity": identity, "epochs": epochs, "threads": threads})
    write_safetensors(path, tensors, {_KEY: header})


def threads_of(path: Path) -> int | None:
    """Number of threads of the interrupted run, on which rounding depends; None if unknown."""
    return _read(path)[0].get("threads")


def restore(
    path: Path, network: torch.nn.Module, optimiser: torch.optim.Optimizer, identity: str
) -> int:
    """Load the state if it is of the run `identity`; returns the number of finished epochs,
    else 0.
    """
    header, tensors = _read(path)
    if header.get("identity") != identity:
        return 0
    network.load_state_dict(_below(tensors, "network."))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in _below(tensors, "optimiser.").items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
    return int(header["epochs"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with suppress(BadModel):  # missing or damaged: start from the beginning
        metadata, tensors = read_safetensors(path, remedy="")
        return json.loads(metadata.get(_KEY, "{}")), tensors
    return {}, {}


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
