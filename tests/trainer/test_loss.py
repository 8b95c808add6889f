"""The sparse loss is the full-size loss: value and gradient, in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.loss import sparse_cross_entropy
from trainer.masks import IGNORE

CASES = [
    # batch, classes, feature grid, full grid
    (1, 2, (1, 1), (4, 4)),
    (2, 3, (8, 8), (32, 32)),
    (3, 11, (5, 7), (17, 25)),
    (2, 150, (4, 6), (16, 24)),
    (2, 5, (9, 9), (9, 9)),
    (1, 4, (16, 16), (7, 5)),
]


def full_size(logits: Tensor, mask: Tensor) -> Tensor:
    """What every other trainer computes: logits at all pixels, ignored ones left out."""
    whole = F.interpolate(logits, mask.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(whole, mask, ignore_index=IGNORE)


def labelled(
    batch: int, classes: int, size: tuple[int, int], seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Points, labels (padded, shuffled), and the same as masks. Corners and borders are there."""
    rng = np.random.default_rng(seed)
    height, width = size
    mask = np.full((batch, height, width), IGNORE)
    counts = rng.integers(1, height * width // 2 + 1, batch)
    points = np.zeros((batch, counts.max() + 3, 2))
    labels = np.full((batch, counts.max() + 3), IGNORE)
    for image, count in enumerate(counts):
        corners = np.array([0, width - 1, height * width - width, height * width - 1])
        others = rng.permutation(np.setdiff1d(np.arange(height * width), corners))
        flat = np.concatenate((corners, others))[:count]
        slots = rng.permutation(points.shape[1])[:count]
        classes_of = rng.integers(0, classes, count)
        points[image, slots] = np.stack(np.unravel_index(flat, size), -1)
        labels[image, slots] = classes_of
        mask[image].flat[flat] = classes_of
    return torch.from_numpy(points), torch.from_numpy(labels), torch.from_numpy(mask)


@pytest.mark.parametrize(("batch", "classes", "small", "size"), CASES)
def test_loss_and_gradient_equal_those_of_full_size_logits(
    batch: int, classes: int, small: tuple[int, int], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    values = 5 * torch.randn(batch, classes, *small, dtype=torch.float64)
    points, labels, mask = labelled(batch, classes, size)
    ours, theirs = (values.clone().requires_grad_() for _ in range(2))
    sparse = sparse_cross_entropy(ours, points, labels, size)
    dense = full_size(theirs, mask)
    sparse.backward()
    dense.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert float(theirs.grad.abs().max()) > 0
    torch.testing.assert_close(sparse, dense, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_loss_of_float32_logits_is_close_to_float64() -> None:
    torch.manual_seed(0)
    logits = 5 * torch.randn(2, 11, 90, 120)
    points, labels, mask = labelled(2, 11, (360, 480))
    loss = sparse_cross_entropy(logits, points.float(), labels, (360, 480))
    exact = full_size(logits.double(), mask)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(exact), rel=1e-5)


def test_nothing_labelled_is_zero_with_zero_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = sparse_cross_entropy(logits, torch.zeros(2, 5, 2), torch.full((2, 5), IGNORE), (16, 16))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    points = torch.rand(1, 6, 2, dtype=torch.float64) * 15
    labels = torch.tensor([[0, 1, 2, 2, 1, 0]])
    padded_points = torch.cat((points, torch.full((1, 9, 2), 3.0, dtype=torch.float64)), 1)
    padded_labels = torch.cat((labels, torch.full((1, 9), IGNORE)), 1)
    short = sparse_cross_entropy(logits, points, labels, (16, 16))
    long = sparse_cross_entropy(logits, padded_points, padded_labels, (16, 16))
    assert float(short) == pytest.approx(float(long), rel=1e-14)


def test_every_label_weighs_the_same_in_whatever_image_it_is() -> None:
    logits = torch.zeros(2, 2, 4, 4, dtype=torch.float64)
    logits[1, 0] = 9.0  # the second image is sure of class 0, and wrong at its only label
    points = torch.zeros(2, 3, 2, dtype=torch.float64)
    labels = torch.tensor([[0, 1, 0], [1, IGNORE, IGNORE]])
    expected = (3 * np.log(2) + np.log1p(np.exp(9))) / 4
    assert float(sparse_cross_entropy(logits, points, labels, (16, 16))) == pytest.approx(expected)
