"""Replaces the weights of an exported graph whose structure is unchanged, without a new trace.

A trace takes seconds, and training the head on more clicks changes weights alone. The structure of
a graph is the hash of all that a trace depends on except the weights of the head: the contract, the
frozen backbone and the modules. It is stored in the graph's metadata.
"""

import hashlib
from dataclasses import replace

import numpy as np
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from export.join import PREFIX
from scorer.contract import METADATA_KEY, Contract
from scorer.stage import STAGES
from trainer.graph.scorable import Scorable
from trainer.network import BayesianNetwork, hash_tensors
from trainer.networks.pixelhead import PixelHead

STRUCTURE_KEY = "balentacq.structure"
_TRUNK = "network."  # of the tensors before the features, as traced


def structure(network: Scorable, contract: Contract) -> str | None:
    """The hash of the structure; None for a network in which more than a head is trained."""
    if not isinstance(network, BayesianNetwork) or not isinstance(network.trunk, PixelHead):
        return None
    if contract.precision != network.precision:
        return None
    alike = replace(contract, weights_sha256="")
    digest = hashlib.sha256(
        repr((alike.to_json(), repr(network), network.trunk.stages, STAGES)).encode()
    )
    learned = _learned(network)
    frozen = {name: one for name, one in _trunk(network).items() if name not in learned}
    hash_tensors(digest, frozen)
    return digest.hexdigest()


def mark(model: ModelProto, found: str | None) -> None:
    """Store the structure in the metadata of a graph."""
    if found is not None:
        model.metadata_props.add(key=STRUCTURE_KEY, value=found)


def reweighed(
    like: ModelProto, network: Scorable, tail: nn.Module, contract: Contract
) -> ModelProto | None:
    """The graph `like` with the weights of `network`, byte for byte equal to a new trace.

    tail: the module behind the features of `network`. Returns None where the structures differ.
    """
    properties = {one.key: one for one in like.metadata_props}
    found = structure(network, contract)
    if found is None or STRUCTURE_KEY not in properties or METADATA_KEY not in properties:
        return None
    assert isinstance(network, BayesianNetwork)
    if properties[STRUCTURE_KEY].value != found:
        return None
    learned = _learned(network)
    wanted = {name: one for name, one in _trunk(network).items() if name in learned}
    wanted |= {PREFIX + name: one for name, one in tail.state_dict().items()}
    model = ModelProto()
    model.CopyFrom(like)
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            values = wanted.pop(tensor.name).detach().cpu().numpy()
            if tuple(tensor.dims) != values.shape:
                return None
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
    if any(name in learned or name.startswith(PREFIX) for name in wanted):
        return None  # the exporter folded this weight into another constant
    entry = next(one for one in model.metadata_props if one.key == METADATA_KEY)
    entry.value = contract.to_json()
    return model


def _trunk(network: BayesianNetwork) -> dict[str, Tensor]:
    """The tensors before the features, by their names in the graph."""
    tensors = network.state_dict()
    return {_TRUNK + name: one for name, one in tensors.items() if not _is_classifier(name)}


def learned_tensors(network: Scorable) -> set[str]:
    """Names of the tensors before the features that training changes; empty where it may change
    all.
    """
    if not isinstance(network, BayesianNetwork) or not isinstance(network.trunk, PixelHead):
        return set()
    return _learned(network)


def _learned(network: BayesianNetwork) -> set[str]:
    """Names of the trained tensors before the features: all but those of the backbone."""
    names = network.state_dict()
    head = {name for name in names if name.startswith("trunk.") and "backbone." not in name}
    return {_TRUNK + name for name in head}


def _is_classifier(name: str) -> bool:
    return name.startswith("classifier.")
