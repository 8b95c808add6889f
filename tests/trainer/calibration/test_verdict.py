"""Whether a temperature helps: beyond chance, and counted in photographs."""

from collections.abc import Callable

import pytest
import torch

from scorer.errors import BadLabels
from trainer.calibration.held_out import HeldOut
from trainer.calibration.verdict import FEWEST, jackknife, judge

pytestmark = pytest.mark.usefixtures("one_thread")


def held(images: int, pixels: int, temperature: float, seed: int) -> HeldOut:
    """So many pixels of every photograph, whose classes softmax(logits / temperature) gave."""
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images * pixels, 5, generator=rng, dtype=torch.float64)
    label = torch.multinomial((logits / temperature).softmax(1), 1, generator=rng)[:, 0]
    return HeldOut(logits, label, torch.arange(images).repeat_interleave(pixels))


def test_what_is_too_sure_is_helped() -> None:
    found = judge(held(40, 20, 2.5, seed=0))
    assert found.helps
    assert found.temperature == pytest.approx(2.5, rel=0.15)
    assert found.nll_after < found.nll_before - 0.1
    assert found.after.ece < 0.5 * found.before.ece
    assert (found.images, found.pixels) == (40, 800)


def test_what_is_not_sure_enough_is_helped_too() -> None:
    found = judge(held(40, 20, 0.4, seed=0))
    assert found.helps
    assert found.temperature == pytest.approx(0.4, rel=0.15)


@pytest.mark.parametrize(("images", "pixels"), [(20, 1), (60, 1), (20, 10)])
def test_what_is_calibrated_is_left_alone_but_for_chance(images: int, pixels: int) -> None:
    verdicts = [judge(held(images, pixels, 1.0, seed)) for seed in range(10)]
    assert sum(one.helps for one in verdicts) <= 2
    helped = [one for one in verdicts if one.helps]
    assert all(one.nll_after < one.nll_before for one in helped)


def test_more_pixels_that_say_the_same_prove_nothing() -> None:
    once = held(30, 1, 1.6, seed=5)
    often = HeldOut(*(one.repeat_interleave(50, dim=0) for one in (
        once.logits, once.classes, once.image)))  # fmt: skip
    one, other = judge(once), judge(often)
    assert other.error == pytest.approx(one.error, rel=1e-6)
    assert other.temperature == pytest.approx(one.temperature, rel=1e-6)
    assert other.helps == one.helps


def test_after_is_of_photographs_that_the_temperature_has_not_seen() -> None:
    one = held(20, 3, 1.0, seed=1)
    found = judge(one)
    assert found.temperature is not None
    seen = torch.nn.functional.cross_entropy(one.logits / found.temperature, one.classes)
    assert found.nll_after > float(seen)


def right(one: HeldOut) -> HeldOut:
    return HeldOut(one.logits, one.logits.argmax(1), one.image)


def but_one(one: HeldOut) -> HeldOut:
    classes = one.logits.argmax(1)
    classes[7] = one.logits[7].argmin()
    return HeldOut(one.logits, classes, one.image)


@pytest.mark.parametrize("case", [right, but_one], ids=["every one", "all but one"])
def test_where_hardly_a_pixel_is_wrong_nothing_is_fitted(
    case: Callable[[HeldOut], HeldOut],
) -> None:
    found = judge(case(held(30, 1, 1.0, seed=2)))
    assert found.temperature is None
    assert not found.helps
    assert found.nll_after == found.nll_before


def test_few_photographs_are_refused() -> None:
    with pytest.raises(BadLabels, match=f"of 19 photographs, expected {FEWEST} or more") as caught:
        judge(held(19, 50, 3.0, seed=0))
    assert caught.value.remedy


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    without = (values.sum() - values) / 11
    assert jackknife(without) == pytest.approx(float(values.std() / 12**0.5))
