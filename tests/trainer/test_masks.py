"""Ground-truth masks in every form they come in."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scorer.errors import BadDataset, BadImage
from trainer import masks
from trainer.classes import Classes

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
CLASSES = Classes(names=("a", "b", "c"), colours=(RED, GREEN, BLUE), ignore=7)
VALUES = np.array([[0, 1, 2], [7, 255, 2]], np.uint8)
TRUTH = [[0, 1, 2], [255, 255, 2]]


def saved(folder: Path, image: Image.Image, suffix: str = ".png") -> Path:
    path = folder / f"mask{suffix}"
    image.save(path)
    return path


def _grey() -> Image.Image:
    return Image.fromarray(VALUES)


def _palette() -> Image.Image:
    image = Image.fromarray(VALUES)  # the colours contradict the classes: the index counts
    image.putpalette(np.ravel([BLUE, RED, GREEN] + [(9, 9, 9)] * 253).tolist())
    assert image.mode == "P"
    return image


def _sixteen_bit() -> Image.Image:
    image = Image.fromarray(VALUES.astype(np.uint16))
    assert image.mode.startswith("I;16")
    return image


def _colours() -> Image.Image:
    table = np.zeros((256, 3), np.uint8)
    table[:3] = RED, GREEN, BLUE
    return Image.fromarray(table[VALUES])


def _colours_with_alpha() -> Image.Image:
    image = _colours()
    image.putalpha(0)
    return image


@pytest.mark.parametrize("make", [_grey, _palette, _sixteen_bit, _colours, _colours_with_alpha])
def test_every_form_of_mask_gives_the_same_train_ids(
    tmp_path: Path, make: Callable[[], Image.Image]
) -> None:
    mask = masks.read(saved(tmp_path, make()), CLASSES)
    assert mask.dtype == np.uint8
    assert mask.tolist() == TRUTH


def test_a_mask_of_one_bit_has_two_classes(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 255, 0, 255]], np.uint8)).convert("1")
    path = saved(tmp_path, image)
    with Image.open(path) as reread:
        assert reread.mode == "1"
    assert masks.read(path, CLASSES).tolist() == [[0, 1, 0, 1]]


def test_ignore_may_be_the_value_of_a_class(tmp_path: Path) -> None:
    classes = Classes(names=("void", "b", "c"), colours=(RED, GREEN, BLUE), ignore=0)
    path = saved(tmp_path, Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8)))
    assert masks.read(path, classes).tolist() == [[255, 1, 2, 255]]


def test_black_is_a_class_only_where_a_class_is_black(tmp_path: Path) -> None:
    pixels = np.array([[(0, 0, 0), RED]], np.uint8)
    path = saved(tmp_path, Image.fromarray(pixels))
    assert masks.read(path, CLASSES).tolist() == [[255, 0]]
    black = Classes(names=("a", "b"), colours=(RED, (0, 0, 0)), ignore=255)
    assert masks.read(path, black).tolist() == [[1, 0]]


@pytest.mark.parametrize("value", [3, 6, 8, 254])
def test_an_unknown_value_is_refused_with_file_and_value(tmp_path: Path, value: int) -> None:
    pixels = VALUES.copy()
    pixels[1, 1] = value
    path = saved(tmp_path, Image.fromarray(pixels))
    with pytest.raises(BadDataset, match=rf"mask\.png holds the value {value},") as caught:
        masks.read(path, CLASSES)
    assert str(path) in str(caught.value)
    assert "dataset.toml" in caught.value.remedy


@pytest.mark.parametrize("value", [256, 257, 511, 65535])
def test_a_16_bit_value_is_not_cut_to_8_bits(tmp_path: Path, value: int) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[0, value]], np.uint16)))
    with pytest.raises(BadDataset, match=f"holds the value {value},"):
        masks.read(path, CLASSES)


@pytest.mark.parametrize("colour", [(254, 0, 0), (1, 1, 1), (0, 0, 1), (255, 255, 255)])
def test_an_unknown_colour_is_refused_with_file_and_colour(
    tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    path = saved(tmp_path, Image.fromarray(np.array([[RED, colour]], np.uint8)))
    code = "#{:02x}{:02x}{:02x}".format(*colour)
    with pytest.raises(BadDataset, match=f"holds the colour {code}") as caught:
        masks.read(path, CLASSES)
    assert str(path) in str(caught.value)
    assert "dataset.toml" in caught.value.remedy


def test_a_missing_mask_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(BadImage) as caught:
        masks.read(tmp_path / "no.png", CLASSES)
    assert caught.value.reason == "mask missing"
    assert "no.png" in str(caught.value)


def _png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 3, (40, 40)).astype(np.uint8)).save(
        file, "PNG"
    )
    return file.getvalue()


PNG = _png()


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image", PNG[:20], PNG[:100], PNG[:-30], PNG[:60] + b"\0" * 40 + PNG[100:]],
    ids=["empty", "text", "no header", "cut early", "cut late", "overwritten"],
)
def test_a_broken_mask_has_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(BadImage) as caught:
        masks.read(path, CLASSES)
    assert caught.value.reason == "mask unreadable"
    assert "broken.png" in str(caught.value)


def test_a_mask_beyond_the_pixel_limit_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "MAX_PIXELS", 5)
    with pytest.raises(BadImage, match="mask too large"):
        masks.read(saved(tmp_path, _grey()), CLASSES)
