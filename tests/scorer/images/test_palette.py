"""The colours of a photograph: counted apart from the padding, and compared as distributions."""

from io import BytesIO

import numpy as np
import photographs
import pytest
from PIL import Image

from scorer.images import palette
from scorer.images.photograph import load


def palette_of(picture: Image.Image, grid: tuple[int, int] = (40, 60)) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return palette.of(load(buffer.getvalue(), grid))


def distance(one: bytes, other: bytes) -> float:
    return float(palette.distances(palette.vectors([one]), palette.vectors([other]))[0, 0])


def test_four_quarters_are_four_boxes_of_half_the_root() -> None:
    values = np.frombuffer(palette_of(photographs.scene()), np.uint8)
    boxes = {(4, 0, 0), (0, 4, 0), (0, 0, 4), (5, 5, 5)}  # of 200 and 20, 6 levels; of 230
    there = {tuple(int(x) for x in np.unravel_index(one, (6, 6, 6))) for one in values.nonzero()[0]}
    assert (len(values), there, set(values.tolist())) == (216, boxes, {0, 128})


def test_padding_has_no_colour() -> None:
    grey = Image.new("RGB", (60, 40), (99, 99, 99))
    assert palette_of(grey, (40, 60)) == palette_of(grey, (40, 200)) == palette_of(grey, (99, 60))


def test_the_distance_is_hellingers() -> None:
    red, half = Image.new("RGB", (60, 40), (250, 0, 0)), Image.new("RGB", (60, 40), (250, 0, 0))
    half.paste((0, 0, 250), (0, 0, 30, 40))
    blue = Image.new("RGB", (60, 40), (0, 0, 250))
    assert distance(palette_of(red), palette_of(red)) == 0
    assert distance(palette_of(red), palette_of(blue)) == pytest.approx(1)
    expected = (1 - 0.5**0.5) ** 0.5  # sqrt(1 - sum of sqrt(p q))
    assert distance(palette_of(red), palette_of(half)) == pytest.approx(expected, abs=0.002)
