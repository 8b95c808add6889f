"""A temperature in a model is in every graph of it: probabilities are softmax(logits / T)."""

import copy
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import oracle
import pytest
import torch

from export import graph, plain, reweigh
from export.graph import GraphOptions
from export.plain import PlainOptions
from scorer.plain import PROBABILITIES
from trainer import networks
from trainer.calibration.temperature import bake
from trainer.graph import dropout
from trainer.graph.upsampling import upsample
from trainer.model import Card
from trainer.network import BayesianNetwork

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE, PASSES, T = (64, 96), 4, 2.3
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)

Pair = tuple[BayesianNetwork, BayesianNetwork, Card]


def at_temperature(network: BayesianNetwork, card: Card, contrast: float) -> Pair:
    """A network whose logits are `contrast` times as large, the same at temperature T, and the card
    of that one.
    """
    before = copy.deepcopy(network).eval()
    with torch.no_grad():  # or its classes would be nearly as likely as each other
        before.classifier.weight.mul_(contrast)
    after = copy.deepcopy(before)
    return before, after, bake(after, card, T)


def head(card: Card) -> tuple[BayesianNetwork, Card]:
    torch.manual_seed(0)
    own = replace(card, network=networks.NAMES[0])
    return own.build(), own


@pytest.fixture(scope="module", params=["whole", pytest.param("head", marks=pytest.mark.slow)])
def pair(
    request: pytest.FixtureRequest, network: BayesianNetwork, card: Card, trunks: object
) -> Pair:
    if request.param == "whole":
        return at_temperature(network, card, contrast=4)
    return at_temperature(*head(card), contrast=40)


def run(model: onnx.ModelProto, output: str, **more: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run([output], {"image": IMAGES, **more})
    assert isinstance(found, np.ndarray)
    return found


@torch.inference_mode()
def test_the_plain_graph_gives_softmax_of_divided_logits(pair: Pair) -> None:
    before, after, card = pair
    logits = upsample(before(torch.from_numpy(IMAGES)), SIZE)
    contract = plain.contract_for(after, card, PlainOptions(output=PROBABILITIES))
    found = run(plain.bake(after, contract), PROBABILITIES)
    np.testing.assert_allclose(found, (logits / T).softmax(1).numpy(), atol=1e-4)
    assert np.abs(found - logits.softmax(1).numpy()).max() > 0.02
    best, second = logits.topk(2, dim=1).values.unbind(1)
    clear = (best - second > 1e-4).numpy()
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found.argmax(1)[clear], logits.argmax(1).numpy()[clear])


@torch.inference_mode()
def test_the_scoring_graph_has_it_in_every_pass(pair: Pair) -> None:
    before, after, card = pair
    options = GraphOptions(acquisition="bald", passes=PASSES, top_k=16, stride=1)
    contract = graph.contract_for(after, card, options)
    found = run(graph.bake(after, contract), "map", exclude=np.zeros((2, *SIZE), np.uint8))
    keep = dropout.masks(PASSES, before.classifier.in_channels, card.dropout, contract.mask_seed)
    features = before.features(torch.from_numpy(IMAGES)).numpy()
    for index in range(len(IMAGES)):
        # Divided after the classifier, where the graph has it in the weights.
        expected, undivided = (
            oracle.bald(
                oracle.probabilities(
                    features[index] / temperature,
                    before.classifier.weight.numpy(),
                    before.classifier.bias.numpy() / temperature,
                    keep.numpy(), card.dropout, *SIZE,
                )
            )
            for temperature in (T, 1.0)
        )  # fmt: skip
        np.testing.assert_allclose(found[index], expected, atol=1e-4)
        assert np.abs(found[index] - undivided).max() > 1e-3


def test_an_earlier_graph_can_be_given_it_without_a_new_trace(card: Card) -> None:
    before, after, calibrated = at_temperature(*head(card), contrast=40)
    found = [
        reweigh.structure(one, graph.contract_for(one, described, GraphOptions(passes=PASSES)))
        for one, described in ((before, replace(calibrated, temperature=1.0)), (after, calibrated))
    ]
    assert found[0] == found[1]
    assert found[0] is not None
