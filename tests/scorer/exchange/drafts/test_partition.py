"""Pixels of one value that touch are one region, and small regions go to what surrounds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from scorer.exchange.drafts.partition import components, without_islands

MASKS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 255])
)


@settings(deadline=None, max_examples=60)
@given(MASKS)
def test_regions_are_those_that_scipy_finds(mask: np.ndarray) -> None:
    ids, count = components(mask), 0
    for value in np.unique(mask):
        theirs, found = ndimage.label(mask == value)
        ours = ids[mask == value]
        assert len(set(zip(ours, theirs[mask == value], strict=True))) == found
        count += found
    assert set(np.unique(ids)) == set(range(count))


def test_a_way_that_winds_through_the_image_is_one_region() -> None:
    mask = np.zeros((41, 41), np.uint8)
    mask[::2], mask[1::4, -1], mask[3::4, 0] = 1, 1, 1
    assert len(np.unique(components(mask)[mask == 1])) == 1
    assert len(np.unique(components(mask))) == ndimage.label(mask == 0)[1] + 1


@settings(deadline=None, max_examples=60)
@given(MASKS, st.integers(1, 12))
def test_no_region_is_smaller_than_the_least(mask: np.ndarray, least: int) -> None:
    whole, dropped = without_islands(mask, least)
    areas = np.bincount(components(whole).ravel())
    assert areas.min() >= min(least, mask.size)
    assert set(np.unique(whole)) <= set(np.unique(mask))
    before = np.bincount(components(mask).ravel())
    assert (dropped == 0) == (before.min() >= min(least, mask.size) or len(before) == 1)
    large = np.isin(components(mask), np.flatnonzero(before >= least))
    assert (whole[large] == mask[large]).all()


def test_an_island_gets_the_class_with_most_of_its_border() -> None:
    mask = np.array([[0, 0, 0, 0], [3, 7, 7, 3], [3, 3, 3, 3]], np.uint8)
    whole, dropped = without_islands(mask, 3)
    assert dropped == 1
    assert whole[1].tolist() == [3, 3, 3, 3]  # 4 sides of 3, 2 of 0


@pytest.mark.parametrize(("least", "islands"), [(1, 0), (2, 1), (5, 2)])
def test_islands_are_counted(least: int, islands: int) -> None:
    mask = np.zeros((6, 12), np.uint8)
    mask[1, 1], mask[1:3, 6:8] = 1, 2
    assert without_islands(mask, least)[1] == islands
