"""The noise is uniform, open at both ends, and the same on every machine."""

import numpy as np
import pytest
from scipy import stats

from scorer.selection.noise import uniform

GOLDEN = [[4632323, 13006839, 3622999], [1239127, 5349873, 14648493]]


def test_known_values_stay_what_they_are() -> None:
    """Golden: another NumPy or machine must draw the same pixels for powerbald, margin, random."""
    drawn = uniform(0, "city/0001.png", (2, 3))
    assert (drawn.astype(np.float64) * 2**24).astype(int).tolist() == GOLDEN


def test_the_numbers_depend_on_the_seed() -> None:
    assert not np.array_equal(uniform(0, "a.png", (50,)), uniform(1, "a.png", (50,)))


def test_the_numbers_depend_on_the_name() -> None:
    assert not np.array_equal(uniform(0, "a.png", (50,)), uniform(0, "b.png", (50,)))


def test_seed_and_name_do_not_run_into_each_other() -> None:
    assert not np.array_equal(uniform(1, "1:a", (50,)), uniform(11, ":a", (50,)))
    assert not np.array_equal(uniform(1, "2", (50,)), uniform(12, "", (50,)))


def test_repeating_gives_the_same_numbers() -> None:
    np.random.default_rng(5).random(100)
    first = uniform(7, "a.png", (64, 96))
    assert np.array_equal(first, uniform(7, "a.png", (64, 96)))


def test_a_larger_shape_begins_with_the_smaller_one() -> None:
    assert np.array_equal(uniform(7, "a", (10,)), uniform(7, "a", (4, 5)).ravel()[:10])


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 4), (0,)])
def test_the_shape_is_the_one_asked_for(shape: tuple[int, ...]) -> None:
    drawn = uniform(0, "a", shape)
    assert drawn.shape == shape
    assert drawn.dtype == np.float32


def test_the_interval_is_open_in_float32() -> None:
    """0 and 1 would make ln(-ln u) infinite."""
    drawn = uniform(0, "a", (2_000_000,))
    assert drawn.min() > 0
    assert drawn.max() < 1
    assert np.isfinite(-np.log(-np.log(drawn))).all()
    lowest, highest = np.float32(0.5 / 2**23), np.float32((2**23 - 0.5) / 2**23)
    assert lowest > 0
    assert highest < 1


def test_the_numbers_are_uniform() -> None:
    drawn = uniform(3, "a", (200_000,))
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01


def test_names_that_are_no_utf8_have_numbers_too() -> None:
    assert uniform(0, "caf\udce9.png", (4,)).shape == (4,)
