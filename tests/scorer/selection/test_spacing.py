"""Picks are the best that keep their distance, and never fewer than there could be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.contract import NO_SCORE, Contract
from scorer.images.geometry import Geometry
from scorer.selection.spacing import AUTO, Spacing, of, pick

PLAIN = Geometry((12, 16), (12, 16))


def scores(seed: int, geometry: Geometry, *, ties: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, geometry.map) if ties else rng.normal(size=geometry.map)
    return np.where(geometry.exclude() == 1, NO_SCORE, values).astype(np.float32)


def contract(acquisition: str) -> Contract:
    return Contract(
        acquisition=acquisition, passes=2, dropout=0.2, mask_seed=0, height=12, width=16,
        classes=("a", "b"), colours=((0, 0, 0), (1, 1, 1)), top_k=4, has_map=True, network="",
        weights_sha256="",
    )  # fmt: skip


def by_hand(score, geometry, n, radius, taken, labelled):
    """Over and over the whole list of pixels, best first, of those that nothing bars."""
    order = sorted(np.ndindex(score.shape), key=lambda p: (-score[p], p))
    picks = []
    while len(picks) < n:
        for place in order:
            here = geometry.to_image(*place)
            barred = place in picks or score[place] <= NO_SCORE
            barred |= any(math.dist(here, one) < radius * labelled for one in taken)
            barred |= any(math.dist(here, geometry.to_image(*one)) < radius for one in picks)
            if not barred:
                picks.append(place)
                break
        else:
            if not radius:
                break
            radius = radius / 2 if radius > 1 else 0.0
    return picks


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99), n=st.integers(1, 12), ties=st.booleans(),
    radius=st.floats(0, 20, allow_subnormal=False),
    taken=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 30)), max_size=4),
    stride=st.sampled_from([1, 2]), labelled=st.sampled_from([0.5, 1.0]),
)  # fmt: skip
def test_picks_are_those_of_the_definition(seed, n, radius, ties, taken, stride, labelled) -> None:
    geometry = Geometry((24, 31), (12, 16), stride)
    score = scores(seed, geometry, ties=ties)
    spacing = Spacing(radius, labelled=labelled)
    expected = by_hand(score, geometry, n, radius, taken, labelled)
    assert pick(score, geometry, n, spacing, taken) == expected


def test_equal_scores_are_taken_by_row_and_column() -> None:
    flat = np.zeros((12, 16), np.float32)
    assert pick(flat, PLAIN, 3, Spacing(0.0)) == [(0, 0), (0, 1), (0, 2)]
    assert pick(flat, PLAIN, 3, Spacing(3.0)) == [(0, 0), (0, 3), (0, 6)]


def test_where_nothing_is_left_the_radius_halves() -> None:
    flat = np.zeros((12, 16), np.float32)
    picks = pick(flat, PLAIN, 5, Spacing(100.0))
    apart = [math.dist(a, b) for i, a in enumerate(picks) for b in picks[:i]]
    assert len(picks) == 5
    assert min(apart) >= 100 / 16  # the largest 100 / 2^k that lets five in


def test_a_distance_that_was_asked_for_is_never_less() -> None:
    flat = np.zeros((12, 16), np.float32)
    assert len(pick(flat, PLAIN, 5, of(100.0, PLAIN, 5, contract("balentacq")))) == 1
    assert pick(flat, PLAIN, 9, of(0.0, PLAIN, 9, contract("balentacq"))) == [
        (0, col) for col in range(9)
    ]


def test_all_pixels_can_be_had_and_no_more() -> None:
    flat = np.zeros((12, 16), np.float32)
    picks = pick(flat, PLAIN, 1000, Spacing(5.0))
    assert len(set(picks)) == len(picks) == 12 * 16


def test_nothing_is_picked_where_nothing_is_eligible() -> None:
    barred = np.full((12, 16), NO_SCORE, np.float32)
    assert pick(barred, PLAIN, 3, Spacing(5.0)) == []


def test_what_is_no_number_is_not_passed_over() -> None:
    score = np.full((12, 16), np.nan, np.float32)
    assert pick(score, PLAIN, 1, Spacing(5.0)) == [(0, 0)]


def test_what_is_labelled_counts_as_a_pick() -> None:
    flat = np.zeros((12, 16), np.float32)
    (first,) = pick(flat, PLAIN, 1, Spacing(4.0), [(0, 0)])
    assert first == (0, 4)


@pytest.mark.parametrize("n", [1, 5, 20])
@pytest.mark.parametrize("image", [(360, 480), (3600, 4800)])
def test_auto_follows_the_image_and_n(image: tuple[int, int], n: int) -> None:
    geometry = Geometry(image, (360, 480))
    radius = of(AUTO, geometry, n, contract("balentacq")).radius
    # n discs of half the radius, which do not meet, cover no more than the image.
    assert n * math.pi * (radius / 2) ** 2 < math.prod(image)
    assert radius / math.sqrt(math.prod(image)) == pytest.approx(
        of(AUTO, Geometry((36, 48), (360, 480)), n, contract("bald")).radius / math.sqrt(36 * 48)
    )


def test_where_balent_reaches_0_a_net_is_enough() -> None:
    near, far = (of(AUTO, PLAIN, 5, contract("balentacq"), share).radius for share in (0.002, 0.0))
    assert 0 < near < far == of(AUTO, PLAIN, 5, contract("entropy")).radius


@pytest.mark.parametrize("acquisition", ["random", "margin", "powerbald"])
def test_what_chance_spreads_is_left_to_chance(acquisition: str) -> None:
    assert of(AUTO, PLAIN, 5, contract(acquisition)).radius == 0
    assert of(3.0, PLAIN, 5, contract(acquisition)).radius == 3


def test_the_score_is_left_as_it_is() -> None:
    score = scores(0, PLAIN)
    before = score.copy()
    pick(score, PLAIN, 5, Spacing(3.0), [(2, 2)])
    assert np.array_equal(score, before)
