"""Tiles cover a photograph once, and mix where they overlap."""

import numpy as np
import pytest

from scorer.segmentation import tiles

Array = np.ndarray  # type: ignore[type-arg]


@pytest.mark.parametrize(("length", "tile"), [(100, 32), (33, 32), (32, 32), (7, 32), (1000, 48)])
def test_the_weights_of_all_tiles_are_one_everywhere(length: int, tile: int) -> None:
    total = np.zeros(length)
    for span in tiles.spans(length, tile):
        assert span.stop - span.start == min(length, tile)
        total[span.start : span.stop] += span.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("size", [(100, 150), (40, 150), (100, 20), (32, 48)])
def test_what_does_not_depend_on_the_tile_comes_out_as_it_is(size: tuple[int, int]) -> None:
    """Each pixel once, from a network that looks at single pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    seen, times = np.zeros((3, *size), np.float32), np.zeros(size, int)

    def see(tile: Array) -> Array:
        assert tile.shape == (32, 48, 3)
        return tile.transpose(2, 0, 1).astype(np.float32) / 255

    def use(rows: slice, cols: slice, found: Array) -> None:
        seen[:, rows, cols] = found
        times[rows, cols] += 1

    tiles.each(lambda start, stop: pixels[start:stop], size, (32, 48), see, use)
    assert (times == 1).all()
    np.testing.assert_allclose(seen, pixels.transpose(2, 0, 1) / 255, atol=1e-5)


def test_from_one_tile_to_the_next_there_is_no_step() -> None:
    """A network that sees every tile otherwise: what is mixed changes little by little."""
    pixels, number = np.zeros((32, 400, 3), np.uint8), iter(range(100))
    row = np.zeros(400)

    def use(rows: slice, cols: slice, found: Array) -> None:
        row[cols] = found[0, 16]

    def see(_: Array) -> Array:
        return np.full((1, 32, 48), next(number), np.float32)

    tiles.each(lambda start, stop: pixels[start:stop], (32, 400), (32, 48), see, use)
    assert np.abs(np.diff(row)).max() <= 1 / 10
    assert row[-1] > 8
