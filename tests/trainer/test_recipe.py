"""The published settings, and what a schedule does with a learning rate."""

import pytest

from scorer.errors import BadInput
from trainer.recipe import LEAST_STEPS, PRESETS, Recipe, recipe


def test_a_poly_schedule_ends_at_zero() -> None:
    usual = Recipe()
    assert usual.rate(0.0) == 1
    assert usual.rate(0.5) == pytest.approx(0.5**0.9)
    assert usual.rate(1.0) == 0


@pytest.mark.parametrize(
    ("done", "rate"), [(0.0, 1), (0.39, 1), (0.4, 0.1), (0.79, 0.1), (0.8, 0.01), (0.99, 0.01)]
)
def test_a_step_schedule_falls_to_a_tenth_twice(done: float, rate: float) -> None:
    assert Recipe(schedule="step").rate(done) == pytest.approx(rate)


def test_the_presets_are_those_of_the_reference() -> None:
    assert {name: recipe(name, "x", {}).epochs for name in PRESETS} == dict.fromkeys(PRESETS, 100)
    camvid = recipe("camvid", "deeplabv3plus-mobilenetv2", {})
    assert (camvid.batch, camvid.optimiser, camvid.lr, camvid.schedule) == (4, "adam", 5e-4, "step")
    voc = recipe("voc2012", "deeplabv3plus-mobilenetv2", {})
    assert (voc.batch, voc.optimiser, voc.lr, voc.jitter) == (10, "sgd", 1e-2, 0.1)
    assert voc.weight_decay == 5e-4
    assert recipe("voc2012", "fpn-resnet50", {}).weight_decay == 1e-4


def test_what_is_given_is_stronger_than_the_preset() -> None:
    assert recipe("camvid", "x", {"epochs": 3, "schedule": "poly"}).epochs == 3
    assert recipe(None, "x", {}) == Recipe(steps=LEAST_STEPS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimiser": "lion"},
        {"schedule": "cosine"},
        {"augment_labels": "both"},
        {"momentum": 1.5},
        {"jitter": -0.1},
        {"jitter": float("nan")},
        {"weight_decay": float("inf")},
    ],
)
def test_what_no_recipe_can_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="expected"):
        Recipe(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("devices", "said"), [(3, "cannot share a batch of 4"), (4, "at least 2 images on each device")]
)
def test_devices_share_a_batch_evenly(devices: int, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Recipe(batch=4, devices=devices)
