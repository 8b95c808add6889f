"""How mean and std are understood as people write them down."""

import pytest

from scorer.images.preprocessing import Preprocessing, Triple

UNIT, BYTES = (0.485, 0.456, 0.406), (123.675, 116.28, 103.53)
OF_UNIT, OF_BYTES = (0.229, 0.224, 0.225), (58.395, 57.12, 57.375)


@pytest.mark.parametrize("mean", [UNIT, BYTES])
@pytest.mark.parametrize("std", [OF_UNIT, OF_BYTES])
def test_each_is_recognised_by_itself(mean: Triple, std: Triple) -> None:
    found = Preprocessing.scaled(mean, std)
    assert found.mean == pytest.approx(BYTES)
    assert found.std == pytest.approx(OF_BYTES)


def test_a_std_of_ones_goes_with_its_mean() -> None:
    assert Preprocessing.scaled(BYTES, (1, 1, 1)).std == (1, 1, 1)
    assert Preprocessing.scaled((0.5, 0.5, 0.5), (1, 1, 1)).std == (255, 255, 255)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((-1, 0, 0), OF_UNIT), ((0, 0, 300), OF_UNIT), (UNIT, (0, 1, 1)), (UNIT, (-1, 1, 1))],
)
def test_what_no_pixels_have_is_refused(mean: Triple, std: Triple) -> None:
    with pytest.raises(ValueError, match="mean"):
        Preprocessing.scaled(mean, std)
