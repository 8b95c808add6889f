"""Three bands of a TIFF of many are red, green and blue, however they lie in the file."""

from pathlib import Path

import numpy as np
import photographs
import pytest
from photographs import tiff

from scorer.errors import BadImage
from scorer.images.encoded import Declared, Reading
from scorer.images.photograph import load, load_full, size

SHAPE = (6, 8)
SMAX = 341


def bands(count: int, kind: type = np.uint8, most: int = 256) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, most, (*SHAPE, count)).astype(kind)
    values[0, 0] = most - 1
    return values


def shown(content: bytes, *chosen: int, bit_depth: int | None = None) -> np.ndarray:
    """All pixels of the bands that are red, green and blue; the same by both ways of loading."""
    red, green, blue = chosen
    image = Declared(content, Reading(bit_depth=bit_depth, bands=(red, green, blue)))
    pixels = load(image, SHAPE).pixels
    assert np.array_equal(pixels, np.asarray(load_full(image)))
    assert size(image) == SHAPE
    return pixels


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("planes", [True, False])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 13])
def test_three_bands_of_any_number(count: int, planes: bool, packed: bool, order: str) -> None:
    values, last = bands(count), count
    for kind, shift in ((np.uint8, 0), (np.uint16, 8)):
        deep = values.astype(kind) << shift
        content = tiff(deep, order=order, packed=packed, planes=planes)
        assert np.array_equal(shown(content, last, 1, 2), values[..., [last - 1, 0, 1]])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", [True, False])
def test_differences_of_neighbours_are_summed(planes: bool, order: str, kind: type) -> None:
    values = bands(5, kind, 256 if kind == np.uint8 else 65536)
    content = tiff(values, packed=True, differences=True, planes=planes, order=order)
    expected = values[..., [3, 2, 1]] >> (0 if kind == np.uint8 else 8)
    assert np.array_equal(shown(content, 4, 3, 2), expected)


@pytest.mark.parametrize("differences", [True, False])
def test_bands_in_tiles_are_put_together(differences: bool) -> None:
    values = np.random.default_rng(0).integers(0, 256, (32, 48, 5), np.uint8)
    content = tiff(values, packed=True, tile=16, differences=differences)
    image = Declared(content, Reading(bands=(5, 2, 3)))
    assert np.array_equal(load(image, (32, 48)).pixels, values[..., [4, 1, 2]])


def test_bands_of_twelve_bits_are_scaled_as_others_are() -> None:
    values = bands(13, np.uint16, 4096)
    expected = (values >> 4)[..., [3, 2, 1]]
    assert np.array_equal(shown(tiff(values), 4, 3, 2, bit_depth=12), expected)
    declared = tiff(values, tags={SMAX: ("H", [4095] * 13)})
    assert np.array_equal(shown(declared, 4, 3, 2), expected)
    with pytest.raises(BadImage, match="16-bit values end at 4095"):
        shown(tiff(values), 4, 3, 2)


def test_bands_of_floats_need_a_range() -> None:
    values = bands(4).astype(np.float32) / 255
    declared = tiff(values, tags={SMAX: ("f", [1.0] * 4)})
    assert np.array_equal(shown(declared, 3, 2, 1), bands(4)[..., [2, 1, 0]])
    with pytest.raises(BadImage, match="no defined white"):
        shown(tiff(values), 3, 2, 1)


def test_a_file_of_too_few_bands_is_refused() -> None:
    with pytest.raises(BadImage, match="asks for band 4") as caught:
        shown(tiff(bands(3)), 4, 3, 2)
    assert caught.value.reason == "3 bands"


def test_other_files_of_the_pool_are_read_as_they_are(tmp_path: Path) -> None:
    scene = photographs.scene(*SHAPE)
    scene.save(tmp_path / "a.png")
    image = Declared(tmp_path / "a.png", Reading(bands=(4, 3, 2)))
    assert np.array_equal(load(image, SHAPE).pixels, np.asarray(scene))
    assert np.array_equal(shown(tiff(bands(1)[..., 0]), 4, 3, 2)[..., 0], bands(1)[..., 0])


@pytest.mark.parametrize("cut", [4, 8, 60, 300])
def test_a_damaged_file_has_a_reason(cut: int) -> None:
    content = tiff(bands(5))
    with pytest.raises(BadImage):
        shown(content[:cut], 4, 3, 2)


def test_the_pixel_limit_holds() -> None:
    image = Declared(tiff(bands(5)), Reading(bands=(4, 3, 2)))
    with pytest.raises(BadImage, match="6x8, the limit is 47") as caught:
        size(image, max_pixels=47)
    assert caught.value.reason == "too large"
