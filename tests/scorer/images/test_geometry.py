"""The map between photograph and grid: what goes there comes back, and nothing is asked twice."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scorer.images.geometry import Geometry

sides = st.integers(1, 700)
sizes = st.tuples(sides, sides)
grids = st.tuples(st.integers(1, 160), st.integers(1, 160))


def eligible(geometry: Geometry) -> list[tuple[int, int]]:
    """All grid pixels that may be selected."""
    return [(int(row), int(col)) for row, col in np.argwhere(geometry.exclude() == 0)]


@given(image=sizes, grid=grids)
@example(image=(1, 5000), grid=(64, 96))
@example(image=(5000, 1), grid=(64, 96))
@example(image=(1, 1), grid=(160, 160))
@example(image=(100_000, 3), grid=(1, 1))
def test_the_content_fits_the_grid_and_touches_one_edge(
    image: tuple[int, int], grid: tuple[int, int]
) -> None:
    height, width = Geometry(image, grid).content
    assert 1 <= height <= grid[0]
    assert 1 <= width <= grid[1]
    assert height == grid[0] or width == grid[1]


@given(image=sizes, grid=grids)
def test_the_content_keeps_the_proportions_to_a_pixel(
    image: tuple[int, int], grid: tuple[int, int]
) -> None:
    height, width = Geometry(image, grid).content
    scale = min(grid[0] / image[0], grid[1] / image[1])
    assert abs(height - max(1, image[0] * scale)) <= 0.5 + 1e-9
    assert abs(width - max(1, image[1] * scale)) <= 0.5 + 1e-9


@given(image=sizes, grid=grids)
@example(image=(1, 5000), grid=(64, 96))
@example(image=(5000, 1), grid=(64, 96))
@example(image=(360, 480), grid=(360, 480))
def test_shrinking_to_the_image_and_back_is_the_identity(
    image: tuple[int, int], grid: tuple[int, int]
) -> None:
    geometry = Geometry(image, grid)
    for axis, (content, length) in enumerate(zip(geometry.content, image, strict=True)):
        if content > length:
            continue
        for index in range(content):
            point = [0, 0]
            point[axis] = index
            there = geometry.to_image(*point)
            assert 0 <= there[axis] < length
            assert geometry.to_map(*there)[axis] == index


@given(image=sizes, grid=grids)
def test_enlarging_to_the_grid_and_back_is_the_identity(
    image: tuple[int, int], grid: tuple[int, int]
) -> None:
    geometry = Geometry(image, grid)
    for axis, (content, length) in enumerate(zip(geometry.content, image, strict=True)):
        if content < length:
            continue
        for index in range(length):
            point = [0, 0]
            point[axis] = index
            assert geometry.to_image(*geometry.to_map(*point))[axis] == index


@given(
    image=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grid=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
@example(image=(3, 5), grid=(60, 60))
@example(image=(1, 5000), grid=(16, 24))
@example(image=(5000, 1), grid=(16, 24))
@example(image=(7, 7), grid=(7, 7))
def test_no_original_pixel_is_offered_twice(image: tuple[int, int], grid: tuple[int, int]) -> None:
    geometry = Geometry(image, grid)
    places = eligible(geometry)
    pixels = [geometry.to_image(*place) for place in places]
    assert places
    assert len(set(pixels)) == len(pixels)
    assert all(geometry.contains(*pixel) for pixel in pixels)
    height, width = geometry.content
    assert all(row < height and col < width for row, col in places)


@given(
    image=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grid=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_as_many_pixels_are_offered_as_the_coarser_side_has(
    image: tuple[int, int], grid: tuple[int, int]
) -> None:
    geometry = Geometry(image, grid)
    expected = np.prod(np.minimum(geometry.content, image))
    assert len(eligible(geometry)) == expected


@given(
    image=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grid=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    data=st.data(),
)
def test_a_labelled_pixel_is_never_offered_again(
    image: tuple[int, int], grid: tuple[int, int], data: st.DataObject
) -> None:
    geometry = Geometry(image, grid)
    labelled = data.draw(
        st.tuples(st.integers(0, image[0] - 1), st.integers(0, image[1] - 1)), "labelled"
    )
    mask = geometry.exclude()
    mask[geometry.to_map(*labelled)] = 1
    left = [geometry.to_image(int(row), int(col)) for row, col in np.argwhere(mask == 0)]
    assert labelled not in left


@pytest.mark.parametrize(
    ("image", "grid", "content"),
    [
        ((360, 480), (360, 480), (360, 480)),
        ((720, 960), (360, 480), (360, 480)),
        ((1080, 1920), (360, 480), (270, 480)),
        ((1920, 1080), (360, 480), (360, 202)),
        ((10, 10), (64, 96), (64, 64)),
        ((1, 5000), (64, 96), (1, 96)),
        ((5000, 1), (64, 96), (64, 1)),
    ],
)
def test_known_sizes_scale_as_worked_out_by_hand(
    image: tuple[int, int], grid: tuple[int, int], content: tuple[int, int]
) -> None:
    assert Geometry(image, grid).content == content


@pytest.mark.parametrize(
    ("image", "grid", "on_grid", "on_image"),
    [
        ((4, 4), (4, 4), (3, 2), (3, 2)),
        ((8, 8), (4, 4), (0, 3), (1, 7)),  # the centre 1.0 is the edge of pixel 1: the right one
        ((9, 9), (3, 3), (0, 2), (1, 7)),  # the middle one of three
        ((2, 2), (8, 8), (3, 4), (0, 1)),
    ],
)
def test_a_grid_pixel_is_the_original_pixel_under_its_centre(
    image: tuple[int, int],
    grid: tuple[int, int],
    on_grid: tuple[int, int],
    on_image: tuple[int, int],
) -> None:
    assert Geometry(image, grid).to_image(*on_grid) == on_image


@given(image=sizes, grid=grids, data=st.data())
def test_the_centre_lies_in_the_grid_pixel_that_to_grid_names(
    image: tuple[int, int], grid: tuple[int, int], data: st.DataObject
) -> None:
    geometry = Geometry(image, grid)
    pixel = data.draw(st.tuples(st.integers(0, image[0] - 1), st.integers(0, image[1] - 1)))
    for centre, index in zip(geometry.centre(*pixel), geometry.to_map(*pixel), strict=True):
        assert index - 0.5 - 1e-9 <= centre <= index + 0.5 + 1e-9


def test_all_pixels_of_an_unscaled_image_are_offered_and_no_padding() -> None:
    mask = Geometry((3, 5), (6, 5)).exclude()
    assert mask.dtype == np.uint8
    assert mask[:3].sum() == 0
    assert mask[3:].all()


def test_contains_ends_at_the_edges() -> None:
    geometry = Geometry((2, 3), (64, 96))
    inside = [
        point
        for point in itertools.product(range(-1, 4), range(-1, 5))
        if geometry.contains(*point)
    ]
    assert inside == list(itertools.product(range(2), range(3)))
