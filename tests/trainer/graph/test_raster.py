"""Strips compute what Whole does, and both upsample as PyTorch's own interpolation does."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.graph import dropout, raster, rows
from trainer.graph.bands import Bands
from trainer.graph.moments import lowered
from trainer.graph.strips import Strips, corner_weights

PASSES, CLASSES, CHANNELS = 4, 3, 6


def classifier(passes: int = PASSES, classes: int = CLASSES, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, passes * classes, 1, bias=bias).double().requires_grad_(False)


def everything(groups):  # type: ignore[no-untyped-def]
    """Every pass and class of every pixel as a map of its own: nothing can hide in a sum."""
    return torch.cat(list(groups), dim=1).flatten(1, 2).unbind(dim=1)


def maps(
    kind: type, features: Tensor, size: tuple[int, int], head: nn.Conv2d, **options: bool
) -> Tensor:
    extra = {"features": tuple(features.shape[2:])} if kind is Bands else {}
    return torch.stack(kind(head, PASSES, size, **extra, **options)(features, everything), dim=1)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("height", [1, 2, 5, 13])
@pytest.mark.parametrize("kind", [raster.Whole, Strips, Bands])
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
@pytest.mark.parametrize("kind", [Strips, Bands])
def test_how_the_grid_is_cut_changes_nothing(
    kind: type, strip: int, block: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, size = torch.rand(1, CHANNELS, 9, 7, dtype=torch.float64), (36, 28)
    expected = maps(kind, features, size, classifier())
    monkeypatch.setattr(rows, "STRIP", strip)
    monkeypatch.setattr(rows, "BLOCK", block)
    monkeypatch.setattr(rows, "LARGEST", largest)
    torch.testing.assert_close(maps(kind, features, size, classifier()), expected)


def test_a_classifier_without_bias_will_do() -> None:
    features, head = torch.rand(1, CHANNELS, 3, 4, dtype=torch.float64), classifier(bias=False)
    one, other = (maps(kind, features, (12, 16), head) for kind in (raster.Whole, Strips))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [Strips, Bands])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_what_passes_share_is_computed_once(rate: float, kernel: int, kind: type) -> None:
    torch.manual_seed(0)
    channels, passes = 12, 5
    keep = dropout.masks(passes, channels, rate, seed=3)
    plain = nn.Conv2d(channels, CLASSES, kernel, padding=kernel // 2).double()
    head = dropout.widen(plain.requires_grad_(False), keep, rate).double()
    features = torch.rand(2, channels, 5, 7, dtype=torch.float64)
    extra = {"features": (5, 7)} if kind is Bands else {}
    for size in ((5, 7), (20, 28)):
        made = kind(head, passes, size, **extra)
        expected = raster.Whole(head, passes, size)(features, everything)
        torch.testing.assert_close(
            torch.stack(made(features, everything), 1), torch.stack(expected, 1)
        )
        few = (keep == 0) if keep.mean() >= 0.5 else (keep == 1)
        assert made.classifier.own.shape[2] == int(few.sum(dim=1).max()) * kernel**2


@pytest.mark.parametrize(
    ("size", "fits"),
    [((8, 12), True), ((32, 48), True), ((4, 6), True), ((8, 18), False), ((9, 12), False)],
)
def test_strips_fit_whole_multiples_only(size: tuple[int, int], fits: bool) -> None:
    assert Strips.fits(classifier(), (4, 6), size) == fits


@pytest.mark.parametrize(
    ("head", "fits"),
    [
        (nn.Conv2d(CHANNELS, 6, 3, padding=1), True),
        (nn.Conv2d(CHANNELS, 6, 3, padding=2, dilation=2), True),
        (nn.Conv2d(CHANNELS, 6, 3), False),
        (nn.Conv2d(CHANNELS, 6, 1, stride=2), False),
        (nn.Conv2d(CHANNELS, 6, 2), False),
        (nn.Conv2d(CHANNELS, 6, 3, padding="same"), True),
        (nn.Conv2d(CHANNELS, 6, 2, padding="same"), False),
    ],
    ids=["3x3", "dilated", "valid", "stride", "even", "same", "even same"],
)
def test_strips_fit_classifiers_that_keep_the_size(head: nn.Conv2d, fits: bool) -> None:
    assert Strips.fits(head, (4, 6), (8, 12)) == fits


@pytest.mark.parametrize(
    "kernel", [((1, 1), 1), ((3, 3), 1), ((3, 1), 2), ((1, 5), 1), ((5, 3), 1)], ids=str
)
@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("kind", [raster.Whole, Strips, Bands])
def test_wide_classifiers_and_equal_grids_are_right_too(
    kind: type, factor: int, kernel: tuple[tuple[int, int], int]
) -> None:
    sides, dilation = kernel
    torch.manual_seed(0)
    padding = [dilation * (side - 1) // 2 for side in sides]
    head = nn.Conv2d(CHANNELS, PASSES * CLASSES, sides, padding=padding, dilation=dilation)
    head = head.double().requires_grad_(False)
    features = torch.rand(2, CHANNELS, 11, 9, dtype=torch.float64)
    size = (11 * factor, 9 * factor)
    logits = lowered(head(features).unflatten(1, (PASSES, CLASSES))).flatten(1, 2)
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps(kind, features, size, head), expected)


@pytest.mark.parametrize("factor", [2, 4, 6])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_coarse_map_is_the_reduced_logits(kernel: int, factor: int) -> None:
    torch.manual_seed(0)
    head = nn.Conv2d(CHANNELS, PASSES * CLASSES, kernel, padding=kernel // 2).double()
    head.requires_grad_(False)
    features, size = (
        torch.rand(2, CHANNELS, 12, 24, dtype=torch.float64),
        (12 // factor, 24 // factor),
    )
    assert raster.Coarse.fits(head, (12, 24), size)
    reduced = F.interpolate(head(features), size, mode="bilinear", align_corners=False)
    expected = lowered(reduced.unflatten(1, (PASSES, CLASSES))).flatten(1, 2)
    found = raster.Coarse(head, PASSES, size, factor=factor)(features, everything)
    torch.testing.assert_close(torch.stack(found, dim=1), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(20, 28), (5, 7), (17, 30), (6, 61), (33, 7)])
@pytest.mark.parametrize("kind", [raster.Whole, Bands])
def test_any_size_and_aligned_corners_are_right(
    kind: type, size: tuple[int, int], align_corners: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "STRIP", 200)
    monkeypatch.setattr(rows, "BLOCK", 150)
    features, head = torch.rand(2, CHANNELS, 5, 7, dtype=torch.float64), classifier()
    logits = lowered(head(features).unflatten(1, (PASSES, CLASSES))).flatten(1, 2)
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)
    found = maps(kind, features, size, head, align_corners=align_corners)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("size", "fits"), [((5, 7), True), ((6, 9), True), ((50, 70), True), ((4, 70), False)]
)
def test_bands_fit_maps_no_smaller_than_the_features(size: tuple[int, int], fits: bool) -> None:
    assert Bands.fits(classifier(), (5, 7), size) == fits


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_corners_of_a_cell_share_every_pixel(factor: int) -> None:
    weights = corner_weights(factor)
    assert weights.shape == (4, factor**2)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(0), torch.ones(factor**2))
