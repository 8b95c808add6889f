"""The exported scoring tail, in ONNX Runtime, against the float64 oracle: the same features and
masks go into both, and nothing but the features and the equations is shared.
"""

import math
from collections.abc import Callable

import features
import numpy as np
import onnx
import onnxruntime as ort
import oracle
import pytest
import torch
import torch.nn.functional as F
from onnx import ModelProto, numpy_helper

from export.graph import GraphOptions, bake, contract_for
from scorer.contract import BALENT_FLOOR, FEATURES, RELATIVE_SD_FLOOR
from trainer.graph import rows
from trainer.graph.rows import divided
from trainer.model import Card

FLOOR = oracle.Floor(relative_sd=RELATIVE_SD_FLOOR, balent_min=BALENT_FLOOR)
CLASSIFIER = "scoring/raster.classifier."
SELECTABLE = -8.0  # what is below is never selected
# Where float32 itself ends, as docs/numerics.md says: logits beyond 100 nats, or many classes.
LIMITS = {("contrast 30", 150): (2e-3, 6e-3), ("spike", 150): (1e-3, 6e-3)}
Tail = Callable[[int, str], ModelProto]
TARGETS = {"strips": "cpu", "whole": "gpu"}


@pytest.fixture(scope="module")
def tail() -> Tail:
    """tail(classes, raster) → the part of a baked graph from the features to its outputs."""
    done: dict[tuple[int, str], ModelProto] = {}

    def cut(classes: int, raster: str) -> ModelProto:
        if (classes, raster) not in done:
            done[classes, raster] = _tail(classes, raster)
        return done[classes, raster]

    return cut


def _tail(classes: int, raster: str) -> ModelProto:
    card = Card(
        network="deeplabv3plus-mobilenetv2",
        dropout=features.RATE,
        dropout_kind="channel",
        classes=tuple(f"class {index}" for index in range(classes)),
        colours=tuple((0, 0, index) for index in range(classes)),
        height=features.SIZE[0],
        width=features.SIZE[1],
        pretrained="none",
    )
    network = card.build().eval()
    options = GraphOptions(passes=features.PASSES, target=TARGETS[raster])
    contract = contract_for(network, card, options)
    assert contract.raster == raster
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "divided", padded)  # the weights of any masks fit into the graph
        return _behind_features(bake(network, contract))


def padded(wide: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The weights as the graph divides them, with so many columns of their own for every mask."""
    shared, own, index = divided(wide)
    missing = wide.shape[2] - own.shape[2]
    return shared, F.pad(own, (0, missing)), F.pad(index, (0, missing))


def _behind_features(model: ModelProto) -> ModelProto:
    """The nodes that do not lead to the features, which become an input."""
    producer = {name: node for node in model.graph.node for name in node.output}
    leading, waiting = set(), [FEATURES]
    while waiting:
        if (name := waiting.pop()) in producer and name not in leading:
            leading.add(name)
            waiting += producer[name].input
    kept = [node for node in model.graph.node if not leading & set(node.output)]
    image = next(entry for entry in model.graph.input if entry.name == "image")
    shape = ("B", features.CHANNELS, *features.FEATURE_SIZE)
    image.CopyFrom(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, shape))
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(kept)
    return model


def run(model: ModelProto, case: features.Case) -> np.ndarray:
    """The tail's map for a case, whose classifier and masks take the place of the baked ones."""
    wide = case.widened()
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weight, bias = wide.weight.detach().flatten(1), wide.bias.detach()
    shared, own, index = padded(weight.unflatten(0, (features.PASSES, -1)))
    values = {
        "shared": shared, "own": own, "index": index.flatten(),
        "weight": wide.weight.detach(), "bias": bias,
    }  # fmt: skip
    found = [one for one in copy.graph.initializer if one.name.startswith(CLASSIFIER)]
    assert len(found) in (2, 4)
    for tensor in found:
        array = values[tensor.name.removeprefix(CLASSIFIER)].numpy().flatten()
        array = array[: math.prod(tensor.dims)].reshape(list(tensor.dims))  # one bias, or all
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = ort.InferenceSession(copy.SerializeToString(), options)
    feeds = {
        FEATURES: case.features[None].numpy(),
        "exclude": np.zeros((1, *case.size), np.uint8),
    }
    return session.run(["map"], feeds)[0][0]


# In these the oracle takes long; smaller cases of the same kind are in every run.
LONG = {one for one in features.CASES if one[1] == 150 and one[0] != "saturated"}
LONG |= {one for one in features.CASES if "contrast" in one[0] and one[1] > 2}
CASES = [pytest.param(*one, marks=[pytest.mark.slow] * (one in LONG)) for one in features.CASES]


@pytest.mark.parametrize("raster", TARGETS)
@pytest.mark.parametrize(("name", "classes"), CASES)
def test_the_balent_map_is_the_oracles(name: str, classes: int, raster: str, tail: Tail) -> None:
    case = features.make(name, classes)
    got = run(tail(classes, raster), case)
    passes = case.probabilities()
    exact, floored = oracle.balent(passes), oracle.balent(passes, FLOOR)
    selectable = exact >= SELECTABLE
    above, below = LIMITS.get((name, classes), (1e-3, 5e-3))
    assert np.isfinite(got).all()
    assert np.abs(got - exact)[selectable].max(initial=0) <= above
    assert np.abs(got - floored)[~selectable].max(initial=0) <= below


@pytest.mark.slow
def test_the_cases_cover_both_sides_of_what_can_be_selected() -> None:
    shares = []
    for name, classes in features.CASES:
        case = features.make(name, classes)
        balent = oracle.balent(case.probabilities())
        shares.append(float((balent >= SELECTABLE).mean()))
    assert sum(share > 0.99 for share in shares) >= 10
    assert sum(share < 0.5 for share in shares) >= 5
    assert sum(0.01 < share < 0.99 for share in shares) >= 3
