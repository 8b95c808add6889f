"""Bins of confidence, against the equation in float64 and torchmetrics' own count."""

import math

import numpy as np
import oracle
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from trainer.reliability import BINS, Reliability, reliability


def scores(pixels: int, classes: int, sharpness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N, C] and true classes, which the logits know something of."""
    rng = np.random.default_rng((pixels, classes))
    logits = sharpness * rng.standard_normal((pixels, classes))
    label = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return torch.from_numpy(2 * logits), torch.from_numpy(label)


def of(logits: torch.Tensor, label: torch.Tensor) -> Reliability:
    confidence, predicted = logits.softmax(1).max(1)
    return reliability(confidence, predicted == label)


@pytest.mark.parametrize(
    ("pixels", "classes", "sharpness"),
    [(1, 2, 1.0), (40, 2, 3.0), (1000, 2, 0.5), (1000, 11, 1.0), (5000, 11, 3.0), (300, 150, 5.0)],
)
def test_the_error_is_that_of_the_equation(pixels: int, classes: int, sharpness: float) -> None:
    logits, label = scores(pixels, classes, sharpness)
    found, shares = of(logits, label), logits.softmax(1)
    assert found.ece == pytest.approx(oracle.calibration_error(shares.numpy().T, label), abs=1e-12)
    theirs = multiclass_calibration_error(shares, label, classes, n_bins=BINS, norm="l1")
    assert found.ece == pytest.approx(float(theirs), abs=1e-6)
    assert found.pixels.sum() == pixels
    assert pixels == 1 or found.ece > 0.02


def test_two_bins_by_hand() -> None:
    confidence = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.5], dtype=torch.float64)
    right = torch.tensor([True, True, False, False, True])
    # Four pixels of 0.9 of which half are right, one of 0.5 that is.
    assert reliability(confidence, right).ece == pytest.approx((4 * 0.4 + 1 * 0.5) / 5)


@pytest.mark.parametrize(
    ("value", "place"), [(0.0, 0), (1e-9, 0), (1 / 15, 0), (0.2, 2), (0.2001, 3), (1.0, 14)]
)
def test_a_bin_ends_with_its_upper_edge(value: float, place: int) -> None:
    found = reliability(torch.tensor([value], dtype=torch.float64), torch.tensor([True]))
    assert found.pixels.nonzero()[0].tolist() == [place]
    assert found.right[place] == 1
    assert found.confidence[place] == value


def test_parts_add_up_to_the_whole() -> None:
    logits, label = scores(500, 5, 2.0)
    whole, parts = of(logits, label), (of(logits[:123], label[:123]), of(logits[123:], label[123:]))
    added = parts[0] + parts[1]
    assert added.ece == pytest.approx(whole.ece, abs=1e-14)
    assert (added.pixels == whole.pixels).all()
    assert added.ece != pytest.approx((parts[0].ece + parts[1].ece) / 2, abs=1e-3)


def test_no_pixel_has_no_error() -> None:
    assert math.isnan(reliability(torch.zeros(0), torch.zeros(0, dtype=torch.bool)).ece)


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
def test_maps_are_taken_as_they_are(shape: tuple[int, ...]) -> None:
    confidence = torch.linspace(0.1, 1, 12).reshape(shape)
    assert reliability(confidence, confidence > 0.5).pixels.sum() == 12
