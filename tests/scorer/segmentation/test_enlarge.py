"""Scores enlarged to an image: as PyTorch enlarges them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scorer.segmentation import enlarge

SIZES = [
    ((6, 9), (24, 36)),
    ((6, 9), (25, 31)),
    ((7, 5), (3, 4)),
    ((1, 4), (9, 9)),
    ((5, 5), (5, 5)),
]


def scores(shape: tuple[int, int], classes: int = 7, smooth: bool = True) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    found = rng.normal(size=(classes, *shape)).astype(np.float32)
    return found if smooth else np.round(found)  # with equal scores


@pytest.mark.parametrize(("there", "wanted"), SIZES)
def test_classes_are_those_of_the_largest_interpolated_score(
    there: tuple[int, int], wanted: tuple[int, int]
) -> None:
    given = scores(there)
    whole = F.interpolate(torch.from_numpy(given)[None], wanted, mode="bilinear")[0]
    best, others = whole.topk(2, 0).values
    found = enlarge.classes(given, wanted)
    assert found.dtype == np.uint8
    clear = (best - others > 1e-5).numpy()
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found[clear], whole.argmax(0).numpy()[clear])


def test_of_equal_scores_the_first_class_is_taken() -> None:
    given = np.zeros((3, 4, 4), np.float32)
    given[1:, :, 2:] = 1
    found = enlarge.classes(given, (16, 16))
    assert set(np.unique(found)) == {0, 1}
    given = scores((6, 9), smooth=False)
    np.testing.assert_array_equal(enlarge.classes(given, (6, 9)), given.argmax(0))


@pytest.mark.parametrize(("there", "wanted"), SIZES)
def test_the_probabilities_are_the_softmax_of_the_interpolated_scores(
    there: tuple[int, int], wanted: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = scores(there)
    monkeypatch.setattr(enlarge, "_AT_ONCE", 500)  # in bands
    whole = F.interpolate(torch.from_numpy(given)[None], wanted, mode="bilinear")[0].softmax(0)
    found = np.zeros(whole.shape, np.float32)
    for rows, band in enlarge.probabilities(given, wanted):
        found[:, rows] += band  # each row once
    np.testing.assert_allclose(found, whole.numpy(), rtol=1e-4, atol=1e-7)
