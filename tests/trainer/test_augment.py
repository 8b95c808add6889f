"""Random views: the points move with the picture, and none that stays in view is lost."""

from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trainer import augment as module
from trainer.augment import augment
from trainer.sample import Masked, Sample

Floats = npt.NDArray[np.float64]

scales = st.floats(0.5, 2.0)
sides = st.integers(40, 64)
seeds = st.integers(0, 2**32 - 1)
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)


def view(sample: Sample, scale: float, flip: bool, seed: int) -> Sample:
    """One view at a chosen scale, flipped or not, with its colours left alone."""
    with (
        patch.object(module, "_SCALES", (scale, scale)),
        patch.object(module, "_P_FLIP", float(flip)),
        patch.object(module, "_colour", lambda image, rng, jitter: image),
    ):
        return augment(sample, np.random.default_rng(seed))


def every_pixel(pixels: npt.NDArray[np.uint8]) -> Sample:
    """A sample with a point on every pixel; the label of a point is its number."""
    points = np.stack(np.indices(pixels.shape[:2]), -1).reshape(-1, 2).astype(np.float32)
    return Sample("x", pixels, points, np.arange(len(points)))


@relaxed
@given(scales, st.booleans(), seeds, sides, sides, st.data())
def test_a_marked_pixel_is_found_at_the_moved_point(
    scale: float, flip: bool, seed: int, height: int, width: int, data: st.DataObject
) -> None:
    row = data.draw(st.integers(4, height - 5))
    col = data.draw(st.integers(4, width - 5))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[row - 2 : row + 3, col - 2 : col + 3] = 255, 0, 255
    sample = Sample("x", pixels, np.array([[row, col]], np.float32), np.array([3]))
    seen = view(sample, scale, flip, seed)
    weight = seen.pixels[..., 0].astype(np.float64)
    whole = 5 * scale
    if len(seen.points) == 0:  # out of view: no more than half of the patch is left
        assert weight.sum() / 255 < 0.75 * whole**2
        return
    margin = whole / 2 + 1
    [[y, x]] = seen.points.tolist()
    assert weight[round(np.clip(y, 0, height - 1)), round(np.clip(x, 0, width - 1))] > 100
    if margin < y < height - margin and margin < x < width - margin:
        rows, cols = np.indices(weight.shape)
        centre = (weight * rows).sum() / weight.sum(), (weight * cols).sum() / weight.sum()
        assert centre == pytest.approx((y, x), abs=0.1)
        assert seen.labels.tolist() == [3]


def ramp(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture that tells of each pixel where it came from: red its row, green its column."""
    rows, cols = np.indices((height, width))
    return np.stack((rows * 3 + 20, cols * 3 + 20, np.full_like(rows, 255)), -1).astype(np.uint8)


def line(seen: Floats, whole: npt.NDArray[np.bool_], length: int) -> tuple[float, float]:
    """Slope and intercept of source = slope · view + intercept along one axis, from the picture."""
    places = np.arange(len(seen))
    # Borders are smoothed by the scaling; what is well inside is a straight line.
    good = whole & (seen > 3) & (seen < length - 4)
    assert good.sum() > 8
    slope, intercept = np.polyfit(places[good], seen[good], 1)
    return float(slope), float(intercept)


@relaxed
@given(scales, st.booleans(), seeds, sides, sides)
def test_no_point_in_view_is_lost_doubled_or_given_another_label(
    scale: float, flip: bool, seed: int, height: int, width: int
) -> None:
    """The view's place is read off the picture itself; that says where every point must be."""
    sample = every_pixel(ramp(height, width))
    seen = view(sample, scale, flip, seed)
    lit = seen.pixels[..., 2] == 255
    row_source = (seen.pixels[..., 0].astype(float) - 20) / 3
    col_source = (seen.pixels[..., 1].astype(float) - 20) / 3
    middle_row, middle_col = (int(np.median(np.nonzero(lit)[axis])) for axis in (0, 1))
    row_line = line(row_source[:, middle_col], lit[:, middle_col], height)
    col_line = line(col_source[middle_row], lit[middle_row], width)
    assert (col_line[0] < 0) is flip
    assert abs(1 / row_line[0]) == pytest.approx(scale, abs=0.05)
    expected = np.stack(
        [
            (sample.points[:, axis] - intercept) / slope
            for axis, (slope, intercept) in enumerate((row_line, col_line))
        ],
        -1,
    )
    outside = np.maximum(-0.5 - expected, expected - (height - 0.5, width - 0.5)).max(axis=1)
    numbers = seen.labels.tolist()
    assert len(numbers) == len(set(numbers))
    assert set(np.nonzero(outside < -0.4)[0].tolist()) <= set(numbers)
    assert set(numbers) <= set(np.nonzero(outside < 0.4)[0].tolist())
    np.testing.assert_allclose(seen.points, expected[seen.labels], atol=0.4)


@relaxed
@given(st.floats(0.5, 0.999), st.booleans(), seeds)
def test_shrinking_keeps_every_point(scale: float, flip: bool, seed: int) -> None:
    sample = every_pixel(ramp(48, 64))
    assert view(sample, scale, flip, seed).labels.tolist() == sample.labels.tolist()


def photograph(seed: int = 0) -> Sample:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    return every_pixel(pixels)


def test_the_same_generator_gives_the_same_bytes() -> None:
    first, again = (augment(photograph(), np.random.default_rng(7)) for _ in range(2))
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.points.tobytes() == again.points.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()


def test_another_generator_gives_another_view() -> None:
    views = {
        augment(photograph(), np.random.default_rng(seed)).pixels.tobytes() for seed in range(4)
    }
    assert len(views) == 4


@pytest.mark.parametrize("seed", range(12))
def test_a_view_is_of_the_same_form_as_the_sample(seed: int) -> None:
    sample = photograph()
    before = sample.pixels.tobytes(), sample.points.tobytes(), sample.labels.tobytes()
    seen = augment(sample, np.random.default_rng(seed))
    assert seen.name == sample.name
    assert (seen.pixels.shape, seen.pixels.dtype) == ((48, 64, 3), np.uint8)
    assert (seen.points.shape[1], seen.points.dtype) == (2, np.float32)
    assert seen.labels.dtype == np.int64
    assert len(seen.points) == len(seen.labels)
    assert (sample.pixels.tobytes(), sample.points.tobytes(), sample.labels.tobytes()) == before


def test_a_sample_whose_points_all_leave_is_a_sample_without_points() -> None:
    corner = Sample(
        "x", np.zeros((48, 64, 3), np.uint8), np.array([[0, 0]], np.float32), np.array([1])
    )
    views = [view(corner, 2.0, False, seed) for seed in range(20)]
    gone = [seen for seen in views if len(seen.points) == 0]
    assert gone
    assert all(seen.points.shape == (0, 2) and seen.labels.shape == (0,) for seen in gone)


@pytest.mark.parametrize("seed", range(8))
def test_colours_change_and_points_do_not(seed: int) -> None:
    coloured = augment(photograph(), np.random.default_rng(seed))
    with patch.object(module, "_colour", lambda image, rng, jitter: image):
        plain = augment(photograph(), np.random.default_rng(seed))
    assert coloured.points.tobytes() == plain.points.tobytes()
    assert coloured.labels.tobytes() == plain.labels.tobytes()


def scaled_over(seeds: range) -> tuple[Floats, Floats]:
    """Scale and flip of many views with the project's own chances, read off the moved points."""
    scale, flip = [], []
    square = Sample(
        "x",
        np.zeros((64, 64, 3), np.uint8),
        np.array([[31, 31], [32, 32], [31, 32]], np.float32),
        np.arange(3),
    )
    with patch.object(module, "_colour", lambda image, rng, jitter: image):
        for seed in seeds:
            seen = augment(square, np.random.default_rng(seed))
            if len(seen.points) == 3:
                scale.append(seen.points[1, 0] - seen.points[0, 0])
                flip.append(seen.points[1, 1] < seen.points[0, 1])
    return np.array(scale, float), np.array(flip, float)


def test_scales_go_from_a_half_to_two_and_half_the_views_are_flipped() -> None:
    scale, flip = scaled_over(range(400))
    assert len(scale) > 300
    assert scale.min() >= 0.48  # a side of 32.2 pixels is 32 pixels
    assert scale.max() <= 2.001
    assert np.mean(scale < 1) == pytest.approx(0.5, abs=0.1)
    assert flip.mean() == pytest.approx(0.5, abs=0.1)


def colours_of(seed: int, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    image = module._colour(Image.fromarray(pixels), np.random.default_rng(seed), 0.8)
    return np.asarray(image)


def test_a_fifth_of_the_views_is_grey() -> None:
    flat = np.full((8, 8, 3), (200, 60, 60), np.uint8)
    grey = [np.ptp(colours_of(seed, flat), axis=-1).max() == 0 for seed in range(300)]
    assert np.mean(grey) == pytest.approx(0.2, abs=0.08)


def test_jitter_brightens_darkens_and_turns_hues() -> None:
    flat = np.full((8, 8, 3), (160, 80, 80), np.uint8)
    means = np.array([colours_of(seed, flat).mean((0, 1)) for seed in range(200)])
    assert means.mean(1).min() < 60
    assert means.mean(1).max() > 150
    assert (means[:, 1] > means[:, 2] + 20).any()  # towards yellow
    assert (means[:, 2] > means[:, 1] + 20).any()  # towards magenta


@pytest.mark.parametrize("level", [0, 255])
def test_hues_turn_without_wrapping_the_brightness(level: int) -> None:
    grey = Image.fromarray(np.full((4, 4, 3), level, np.uint8))
    turned = np.asarray(module._turn_hue(grey, 0.17))
    assert (turned == level).all()


def test_a_full_turn_of_the_hue_is_none() -> None:
    pixels = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8)
    assert np.array_equal(np.asarray(module._turn_hue(Image.fromarray(pixels), 1.0)), pixels)


def test_a_mask_of_few_labels_loses_them_when_shrunk_and_multiplies_them_when_enlarged() -> None:
    """By the nearest pixel: at a half one of four is left, at two each becomes four (numerics of
    nearest-neighbour scaling), which is why points are moved instead.
    """
    sample = every_pixel(np.zeros((64, 64, 3), np.uint8))
    few = Sample("x", sample.pixels, sample.points, np.arange(64 * 64) % 200).masked()
    assert few.points == 64 * 64
    half, double = (masked_view(few, scale) for scale in (0.5, 2.0))
    assert len(half.labels) == 32 * 32
    assert len(double.labels) == 64 * 64
    corner = np.full((64, 64), 255, np.uint8)
    corner[30, 30] = 7
    one = Masked("x", few.pixels, corner)
    counts = {len(masked_view(one, 2.0, seed).labels) for seed in range(12)}
    assert counts <= {0, 2, 4}
    assert 4 in counts


@pytest.mark.parametrize("seed", range(6))
def test_a_mask_moves_with_its_image(seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, (4, 6), np.uint8).repeat(16, 0).repeat(16, 1)
    pixels = np.repeat(255 * mask[..., None], 3, axis=2)
    with patch.object(module, "_colour", lambda image, rng, jitter: image):
        seen = augment(Masked("x", pixels, mask), np.random.default_rng(seed))
    rows, cols = seen.points.astype(int).T
    right = seen.labels == (seen.pixels[rows, cols, 0] > 127)
    assert right.mean() > 0.9  # bilinear edges are another pixel's


def masked_view(sample: Masked, scale: float, seed: int = 0) -> Sample:
    with patch.object(module, "_SCALES", (scale, scale)):
        return augment(sample, np.random.default_rng(seed))
