"""Which network "auto" is, what a head and a whole network take, and how many steps they get."""

from typing import Any

import pytest

from scorer.errors import BadInput
from trainer.recipe import LEAST_STEPS, HeadRecipe, Recipe
from trainer.settings import fit_options

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("preset", "epochs", "steps", "batch", "lr", "optimiser", "schedule")),
    **dict.fromkeys(("weight_decay", "augment_labels", "precision", "finetune")),
    "network": "auto", "weights": "auto", "dropout": 0.2, "dropout_kind": "channel", "devices": 1,
    "keep": 8.0,
}  # fmt: skip
HEAD, WHOLE = "pixelhead-efficientnet-lite0", "deeplabv3plus-efficientnet-lite0"


def made(**given: Any) -> Any:
    return fit_options({**NOTHING, **given}, seed=7)


def test_auto_is_a_head_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    found = made()
    assert found.network == HEAD
    assert found.recipe == HeadRecipe(seed=7)
    assert "network pixelhead-efficientnet-lite0: from few clicks" in capsys.readouterr().err


@pytest.mark.parametrize("given", [{"epochs": 3}, {"preset": "camvid"}, {"precision": "32-true"}])
def test_what_only_whole_networks_take_means_one(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(**given).network == WHOLE
    assert f"--{next(iter(given))} is for networks that train as a whole" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message", "remedy"),
    [
        ({"network": HEAD, "epochs": 3}, "--epochs: of no effect", "--finetune"),
        ({"network": HEAD, "preset": "camvid"}, "--preset: of no effect", "--network"),
        ({"network": HEAD, "devices": 2}, "--devices: of no effect", "--finetune"),
        ({"network": "pixelhead-a.b:c", "schedule": "step"}, "--schedule: of no effect", ""),
        ({"network": HEAD, "epochs": 3, "finetune": 2}, "--epochs: of no effect", ""),
        ({"network": WHOLE, "finetune": 2}, "trains as a whole already", HEAD),
    ],
)
def test_what_would_have_no_effect_is_refused(
    given: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        made(**given)
    assert remedy in caught.value.remedy


def test_a_head_takes_steps_and_finetuning_its_own_settings() -> None:
    found = made(steps=50, lr=0.01, batch=64, finetune=4, precision="32-true")
    assert (found.recipe.steps, found.recipe.lr, found.recipe.batch) == (50, 0.01, 64)
    assert (found.finetune.epochs, found.finetune.batch, found.finetune.lr) == (4, 8, 2e-4)
    assert found.finetune.precision == "32-true"
    assert found.finetune.seed == 7


@pytest.mark.parametrize(
    ("given", "images", "epochs"),
    [
        ({}, 8, 1500),  # 2 steps an epoch: at least 3,000
        ({}, 4000, 50),
        ({"steps": 100}, 8, 50),
        ({"epochs": 3}, 8, 3),
        ({"epochs": 3, "steps": 100}, 8, 50),
        ({"preset": "camvid"}, 8, 1500),
        ({"preset": "camvid"}, 400, 100),
    ],
)
def test_whole_networks_get_enough_steps(given: dict[str, Any], images: int, epochs: int) -> None:
    assert made(network=WHOLE, **given).recipe.for_images(images).epochs == epochs
    assert LEAST_STEPS == 3000


def test_steps_are_of_batches_that_are_filled_up() -> None:
    assert Recipe(batch=4).epoch_steps(9) == 3
    assert Recipe(batch=4, epochs=1, steps=7).for_images(9).epochs == 3
