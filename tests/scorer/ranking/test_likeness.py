"""What is unlike the labelled images: found, and seldom seen where it is not."""

import numpy as np
import pytest

from scorer.images import palette
from scorer.ranking import likeness
from scorer.ranking.likeness import FEWEST, Likeness


def drawn(count: int, seed: int = 0, boxes: slice = slice(0, 100)) -> list[bytes]:
    """Palettes of one kind of image: random shares of some of the boxes."""
    shares = np.zeros((count, palette.SIZE))
    within = shares[:, boxes]
    within[:] = np.random.default_rng(seed).dirichlet(np.ones(within.shape[1]), count)
    return [row.tobytes() for row in np.rint(255 * np.sqrt(shares)).astype(np.uint8)]


def test_of_too_few_labelled_images_nothing_is_said() -> None:
    assert Likeness.among(drawn(FEWEST - 1)) is None
    assert Likeness.among(drawn(FEWEST)) is not None


@pytest.mark.parametrize(("count", "expected"), [(10, 1 / 11), (50, 0.05), (200, 0.05)])
def test_of_images_that_are_alike_few_are_called_unlike(count: int, expected: float) -> None:
    shares = []
    for seed in range(30):
        everything = drawn(count + 20, seed)
        found = Likeness.among(everything[:count])
        assert found is not None
        shares.append(np.mean([found.unlike(one) > 1 for one in everything[count:]]))
    assert len(shares) == 30
    assert 0.3 * expected < np.mean(shares) < 1.5 * expected


def test_images_of_other_colours_are_unlike() -> None:
    found = Likeness.among(drawn(30))
    assert found is not None
    assert all(found.unlike(one) > 1.5 for one in drawn(30, 1, slice(100, 200)))


def test_a_copy_of_a_labelled_image_is_like_it() -> None:
    labelled = drawn(30)
    found = Likeness.among(labelled)
    assert found is not None
    assert found.unlike(labelled[7]) == pytest.approx(0, abs=1e-3)


def test_labelled_images_that_are_all_the_same_leave_room_for_rounding() -> None:
    found = Likeness.among(drawn(1) * 20)
    assert found is not None
    assert found.unlike(drawn(1)[0]) == 0
    assert np.isfinite(found.unlike(drawn(1, 1)[0]))


def test_an_image_is_compared_with_a_bounded_number_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(likeness, "_MOST", 30)
    for count, kept in ((30, 30), (31, 16), (90, 30), (100, 25)):
        found = Likeness.among(drawn(count))
        assert found is not None
        assert len(found.palettes) == kept
