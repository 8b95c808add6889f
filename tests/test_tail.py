"""The exported scoring tail, in ONNX Runtime, against the float64 oracle: the same features and
masks go into both, and nothing but the features and the equations is shared.
"""

from collections.abc import Callable

import features
import numpy as np
import onnx
import onnxruntime as ort
import oracle
import pytest
from onnx import ModelProto, numpy_helper

from export.graph import Options, bake, classifier, contract_of
from scorer.contract import BALENT_FLOOR, RELATIVE_SD_FLOOR
from trainer import networks
from trainer.model import Card

FLOOR = oracle.Floor(relative_sd=RELATIVE_SD_FLOOR, balent_min=BALENT_FLOOR)
SELECTABLE = -8.0  # what is below is never selected
# Where float32 itself ends, as docs/numerics.md says: logits beyond 100 nats, of many classes.
LIMITS = {("contrast 30", 150): (2e-3, 5e-3)}
Tail = Callable[[int], ModelProto]


@pytest.fixture(scope="module")
def tail() -> Tail:
    """tail(classes) → the part of a baked graph from the classifier's input to its outputs."""
    done: dict[int, ModelProto] = {}

    def cut(classes: int) -> ModelProto:
        if classes not in done:
            done[classes] = _tail(classes)
        return done[classes]

    return cut


def _tail(classes: int) -> ModelProto:
    card = Card(
        network=networks.NAMES[1],
        dropout=features.RATE,
        dropout_kind="channel",
        classes=tuple(f"class {index}" for index in range(classes)),
        colours=tuple((0, 0, index) for index in range(classes)),
        height=features.SIZE[0],
        width=features.SIZE[1],
        pretrained="none",
    )
    network = card.build().eval()
    contract = contract_of(network, card, Options(passes=features.PASSES))
    model = bake(network, contract)
    node = classifier(model, contract)
    for output in model.graph.output:
        output.type.Clear()  # the extractor copies types, and symbolic batches are in its way
    model = onnx.shape_inference.infer_shapes(model)
    return onnx.utils.Extractor(model).extract_model([node.input[0], "exclude"], ["map"])


def run(model: ModelProto, case: features.Case) -> np.ndarray:
    """The tail's map for a case, whose classifier and masks take the place of the baked ones."""
    wide = case.widened()
    node = next(n for n in model.graph.node if n.op_type == "Conv")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in node.input[1:]:
            values = wide.weight if tensor.name == node.input[1] else wide.bias
            tensor.CopyFrom(numpy_helper.from_array(values.numpy(), tensor.name))
    options = ort.SessionOptions()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = ort.InferenceSession(copy.SerializeToString(), options)
    feeds = {
        node.input[0]: case.features[None].numpy(),
        "exclude": np.zeros((1, *case.size), np.uint8),
    }
    return session.run(["map"], feeds)[0][0]


@pytest.mark.parametrize(("name", "classes"), features.CASES)
def test_the_balent_map_is_the_oracles(name: str, classes: int, tail: Tail) -> None:
    case = features.make(name, classes)
    got = run(tail(classes), case)
    passes = case.probabilities()
    exact, floored = oracle.balent(passes), oracle.balent(passes, FLOOR)
    selectable = exact >= SELECTABLE
    above, below = LIMITS.get((name, classes), (1e-3, 5e-3))
    assert np.isfinite(got).all()
    assert np.abs(got - exact)[selectable].max(initial=0) <= above
    assert np.abs(got - floored)[~selectable].max(initial=0) <= below


def test_the_cases_cover_both_sides_of_what_can_be_selected() -> None:
    shares = []
    for name, classes in features.CASES:
        case = features.make(name, classes)
        balent = oracle.balent(case.probabilities())
        shares.append(float((balent >= SELECTABLE).mean()))
    assert sum(share > 0.99 for share in shares) >= 10
    assert sum(share < 0.5 for share in shares) >= 5
    assert sum(0.01 < share < 0.99 for share in shares) >= 3
