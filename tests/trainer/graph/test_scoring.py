"""From map to pixels: what is chosen, marked and excluded."""

import numpy as np
import pytest
import torch

from scorer.contract import NO_PIXEL, NO_SCORE
from trainer.graph.scoring import Scores, ScoringNetwork
from trainer.network import BayesianNetwork

SIZE = (64, 96)
PIXELS = SIZE[0] * SIZE[1]


@pytest.fixture(scope="module")
def scoring(network: BayesianNetwork) -> ScoringNetwork:
    options = {"passes": 4, "mask_seed": 0, "acquisition": "balentacq", "size": SIZE, "top_k": 16}
    return ScoringNetwork(network, **options).eval()


def score(module: ScoringNetwork, exclude: torch.Tensor) -> Scores:
    torch.manual_seed(1)
    image = torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        return module(image, exclude)


def test_the_best_pixels_are_those_of_the_map_in_order(scoring: ScoringNetwork) -> None:
    found = score(scoring, torch.zeros(2, *SIZE, dtype=torch.uint8))
    for index in range(2):
        key = scoring.tail.acquisition.score(found.map[index : index + 1], None)[0]
        best = key.flatten().sort(descending=True).values[:16]
        rows, cols = found.pixel[index].T.long()
        assert torch.equal(found.score[index], best)
        assert torch.equal(key[rows, cols], best)


def test_excluded_pixels_are_never_chosen(scoring: ScoringNetwork) -> None:
    first = score(scoring, torch.zeros(2, *SIZE, dtype=torch.uint8)).pixel[0].long()
    exclude = torch.zeros(2, *SIZE, dtype=torch.uint8)
    exclude[0, first[:, 0], first[:, 1]] = 1
    again = score(scoring, exclude).pixel[0].long()
    assert not {tuple(p) for p in first.tolist()} & {tuple(p) for p in again.tolist()}


@pytest.mark.parametrize("left", [0, 1, 5])
def test_places_without_an_eligible_pixel_are_marked(scoring: ScoringNetwork, left: int) -> None:
    exclude = torch.ones(2, PIXELS, dtype=torch.uint8)
    exclude[:, :left] = 0
    found = score(scoring, exclude.view(2, *SIZE))
    assert (found.pixel[:, :left] >= 0).all()
    assert (found.pixel[:, left:] == NO_PIXEL).all()
    assert (found.label[:, left:] == NO_PIXEL).all()
    assert (found.score[:, left:] == np.float32(NO_SCORE)).all()
    assert (found.score[:, :left] > NO_SCORE).all()


def test_the_label_is_the_class_with_the_highest_mean(network: BayesianNetwork) -> None:
    biased = network.classifier.bias.detach().clone()
    try:
        with torch.no_grad():
            network.classifier.bias[3] += 50
        module = ScoringNetwork(
            network, passes=4, mask_seed=0, acquisition="entropy", size=SIZE, top_k=16
        )
        found = score(module, torch.zeros(2, *SIZE, dtype=torch.uint8))
    finally:
        network.classifier.bias.data = biased
    assert (found.label == 3).all()


def test_more_places_than_pixels_are_cut(network: BayesianNetwork) -> None:
    module = ScoringNetwork(
        network, passes=2, mask_seed=0, acquisition="entropy", size=(32, 32), top_k=5000
    )
    assert module.tail.top_k == 1024


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_an_image_whose_features_are_no_numbers_gets_no_answer(
    scoring: ScoringNetwork, value: float
) -> None:
    features = torch.randn(2, scoring.network.classifier.in_channels, 8, 12)
    features[1, 0, 3, 4] = value
    exclude = torch.zeros(2, *SIZE, dtype=torch.uint8)
    with torch.inference_mode():
        found = scoring.tail(features, exclude)
        alone = scoring.tail(features[:1], exclude[:1])
    assert found.score[1].isnan().all()
    assert torch.equal(found.score[0], alone.score[0])
