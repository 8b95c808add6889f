"""Borders run along the sides of pixels, and what they surround is what they were made from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scorer.exchange.drafts.outline import area, borders, box, filled
from scorer.exchange.drafts.partition import components
from scorer.exchange.drafts.simplify import simplified

MASKS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
)


@settings(deadline=None, max_examples=80)
@given(MASKS)
def test_the_borders_of_a_region_surround_its_pixels(mask: np.ndarray) -> None:
    ids = components(mask)
    for region in range(ids.max() + 1):
        rings = [one.corners for one in borders(ids) if one.region == region]
        assert sum(map(area, rings)) == (ids == region).sum()
        assert sum(area(ring) > 0 for ring in rings) == 1  # one outer border
        place = top, left, bottom, right = box(rings, *mask.shape)
        assert (filled(rings, place) == (ids == region)[top:bottom, left:right]).all()


@settings(deadline=None, max_examples=80)
@given(MASKS, st.sampled_from([0.5, 1.0, 2.0]))
def test_simplified_neighbours_share_their_lines(mask: np.ndarray, tolerance: float) -> None:
    ids = components(mask)
    rings = simplified(borders(ids), np.bincount(ids.ravel()), tolerance)
    times = np.zeros(mask.shape, int)
    for found in rings:
        top, left, bottom, right = box(found, *mask.shape)
        times[top:bottom, left:right] += filled(found, (top, left, bottom, right))
    # Each line bounds two regions, or one and the end of the image: no pixel is lost, or in two.
    assert (times % 2 == 1).all()
    assert sum(area(ring) for found in rings for ring in found) == mask.size
    for one, found in enumerate(rings):
        assert abs(sum(map(area, found)) - (ids == one).sum()) <= (ids == one).sum() / 4


@pytest.mark.parametrize(
    ("ring", "inside"),
    [
        ([(0, 0), (3, 0), (3, 2), (0, 2)], ["###", "###"]),
        ([(0, 0), (3, 2), (0, 2)], ["#..", "##."]),
        (
            [(-5, -5), (1.5, -5), (1.5, 9), (-5, 9)],
            ["#..", "#.."],
        ),  # a centre on a line: right of it
        ([(1.6, 0), (1.6, 2), (0, 2), (0, 0)], ["##.", "##."]),
        ([(4, 4), (9, 4), (9, 9)], ["...", "..."]),
    ],
)
def test_pixels_with_their_centre_inside_are_filled(
    ring: list[tuple[float, float]], inside: list[str]
) -> None:
    rings = [np.array(ring, float)]
    top, left, bottom, right = box(rings, 2, 3)
    whole = np.zeros((2, 3), bool)
    whole[top:bottom, left:right] = filled(rings, (top, left, bottom, right))
    assert ["".join(".#"[int(one)] for one in row) for row in whole] == inside
