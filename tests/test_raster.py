"""Strips compute what Whole does, and both upsample as PyTorch's own interpolation does."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer import raster
from trainer.moments import lowered

PASSES, CLASSES, CHANNELS = 4, 3, 6


def classifier(passes: int = PASSES, classes: int = CLASSES, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, passes * classes, 1, bias=bias).double().requires_grad_(False)


def everything(groups):  # type: ignore[no-untyped-def]
    """Every pass and class of every pixel as a map of its own: nothing can hide in a sum."""
    return torch.cat(list(groups), dim=1).flatten(1, 2).unbind(dim=1)


def maps(kind: type, features: Tensor, size: tuple[int, int], head: nn.Conv2d) -> Tensor:
    return torch.stack(kind(head, PASSES, size)(features, everything), dim=1)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("height", [1, 2, 5, 13])
@pytest.mark.parametrize("kind", [raster.Whole, raster.Strips])
def test_the_logits_are_those_of_interpolate(kind: type, height: int, factor: int) -> None:
    features = torch.rand(2, CHANNELS, height, 7, dtype=torch.float64)
    size, head = (height * factor, 7 * factor), classifier()
    logits = lowered(head(features).unflatten(1, (PASSES, CLASSES))).flatten(1, 2)
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps(kind, features, size, head), expected)


@pytest.mark.parametrize(
    ("strip", "block", "largest"),
    [(1, 1, 1), (400, 10**9, 10**9), (10**9, 500, 10**9), (10**9, 10**9, 2000), (900, 300, 600)],
    ids=["least", "strips", "blocks", "passes", "all"],
)
def test_how_the_grid_is_cut_changes_nothing(
    strip: int, block: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, size = torch.rand(1, CHANNELS, 9, 7, dtype=torch.float64), (36, 28)
    expected = maps(raster.Strips, features, size, classifier())
    monkeypatch.setattr(raster, "_STRIP", strip)
    monkeypatch.setattr(raster, "_BLOCK", block)
    monkeypatch.setattr(raster, "_LARGEST", largest)
    torch.testing.assert_close(maps(raster.Strips, features, size, classifier()), expected)


def test_a_classifier_without_bias_will_do() -> None:
    features, head = torch.rand(1, CHANNELS, 3, 4, dtype=torch.float64), classifier(bias=False)
    one, other = (maps(kind, features, (12, 16), head) for kind in (raster.Whole, raster.Strips))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("size", "fits"),
    [((8, 12), True), ((32, 48), True), ((4, 6), False), ((8, 18), False), ((9, 12), False)],
)
def test_strips_fit_whole_multiples_only(size: tuple[int, int], fits: bool) -> None:
    assert raster.Strips.fits(classifier(), (4, 6), size) == fits


def test_strips_do_not_fit_a_wider_classifier() -> None:
    assert not raster.Strips.fits(nn.Conv2d(CHANNELS, 6, 3, padding=1), (4, 6), (8, 12))


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_corners_of_a_cell_share_every_pixel(factor: int) -> None:
    weights = raster.corner_weights(factor)
    assert weights.shape == (4, factor**2)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(0), torch.ones(factor**2))
