"""The temperature, against SciPy's minimiser; and where it is kept."""

import math
from dataclasses import replace

import numpy as np
import oracle
import pytest
import torch
from scipy import optimize
from torch import nn

from trainer.calibration import LEAST, MOST
from trainer.calibration.temperature import bake, fit, nll
from trainer.graph.dropout import FeatureDropout
from trainer.model import Card
from trainer.network import BayesianNetwork


def drawn(
    temperature: float, *, pixels: int = 4000, classes: int = 7, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and classes that softmax(logits / temperature) gave."""
    rng = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(pixels, classes, generator=rng, dtype=torch.float64)
    return logits, torch.multinomial((logits / temperature).softmax(1), 1, generator=rng)[:, 0]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.2, 9.0])
def test_it_is_where_the_likelihood_is_largest(temperature: float) -> None:
    logits, label = drawn(temperature)
    found = fit(logits, label)
    assert found is not None
    best = optimize.minimize_scalar(
        lambda log: oracle.likelihood_loss(logits.numpy().T, label.numpy(), math.exp(log)),
        bounds=(math.log(LEAST), math.log(MOST)), method="bounded", options={"xatol": 1e-9},
    )  # fmt: skip
    assert found == pytest.approx(math.exp(best.x), rel=2e-5)
    assert found == pytest.approx(temperature, rel=0.15)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_loss_is_that_of_the_equation(temperature: float) -> None:
    logits, label = drawn(1.0, pixels=50)
    expected = oracle.likelihood_loss(logits.numpy().T, label.numpy(), temperature)
    assert float(nll(logits, label, temperature).mean()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", ["all right", "one class", "worse than guessing"])
def test_where_no_temperature_is_best_there_is_none(case: str) -> None:
    logits, label = drawn(1.0, pixels=60)
    if case == "one class":
        logits = torch.zeros_like(logits)
    label = logits.argmin(1) if case == "worse than guessing" else logits.argmax(1)
    assert fit(logits, label) is None


class Two(nn.Module):
    """A trunk of two features."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.backbone = 3, nn.Identity()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


def network(*, bias: bool = True) -> BayesianNetwork:
    torch.manual_seed(0)
    return BayesianNetwork(
        Two(), nn.Conv2d(3, 5, 1, bias=bias), FeatureDropout(0.5),
        mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2),
    )  # fmt: skip


IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("training", [False, True], ids=["without dropout", "with dropout"])
@pytest.mark.parametrize("bias", [True, False])
def test_baked_it_divides_all_that_the_network_says(card: Card, training: bool, bias: bool) -> None:
    made = network(bias=bias).train(training)
    torch.manual_seed(3)
    before = made(IMAGES)
    changed = bake(made, card, 2.2)
    torch.manual_seed(3)
    after = made(IMAGES)
    torch.testing.assert_close(after, before / 2.2)
    assert torch.equal(after.argmax(1), before.argmax(1))
    assert changed == replace(card, temperature=2.2)


def test_one_takes_it_back(card: Card) -> None:
    made = network()
    before = made.eval()(IMAGES)
    for temperature in (2.0, 0.7, 5.3, 1.0):
        card = bake(made, card, temperature)
        torch.testing.assert_close(made(IMAGES), before / temperature)
    assert card.temperature == 1
    torch.testing.assert_close(made(IMAGES), before, rtol=1e-6, atol=1e-6)


def test_the_same_again_changes_no_bit(card: Card) -> None:
    made = network()
    card = bake(made, card, 1.7)
    before = made.sha256
    assert bake(made, card, 1.7) == card
    assert made.sha256 == before
