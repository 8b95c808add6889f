"""Training settings: recipes, and published presets by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scorer.errors import BadInput

OPTIMISERS = ("adam", "sgd")
SCHEDULES = ("poly", "step")
# What augmentation does with labels: moves their coordinates, or scales a mask of them.
LABELS = ("points", "mask")
_STEPS = (0.4, 0.8)  # shares of the epochs after which the schedule "step" divides the rate by ten


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a whole network is trained. Defaults as in PixelPick (Shin et al. 2021), as in the paper.

    epochs: more if they have fewer steps than `steps`. lr: of the new layers; that of the backbone
    is multiplied by backbone_lr_factor. momentum: of sgd. power: of the schedule poly. jitter: of
    brightness, contrast and saturation, and a quarter of it of the hue; 0 to 1. augment_labels: one
    of LABELS. devices: GPUs that share every batch.
    """

    epochs: int = 50
    steps: int = 0
    batch: int = 4
    optimiser: str = "adam"
    lr: float = 5e-4
    backbone_lr_factor: float = 0.1
    weight_decay: float = 2e-4
    momentum: float = 0.9
    schedule: str = "poly"
    power: float = 0.9
    jitter: float = 0.8
    augment_labels: str = "points"
    seed: int = 0
    precision: str = "auto"
    devices: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "lr", "backbone_lr_factor", "power"):
            if not 0 < getattr(self, name) < math.inf:
                raise _wrong(self, name, "a positive number")
        for name, most in (
            ("weight_decay", math.inf),
            ("momentum", 1),
            ("jitter", 1),
            ("steps", 2**53),
        ):
            if not 0 <= getattr(self, name) <= most or math.isinf(getattr(self, name)):
                raise _wrong(self, name, f"0 to {most}")
        for name, known in (
            ("optimiser", OPTIMISERS),
            ("schedule", SCHEDULES),
            ("augment_labels", LABELS),
        ):
            if getattr(self, name) not in known:
                raise _wrong(self, name, f"one of {known}")
        if self.devices < 1 or self.batch % self.devices:
            raise BadInput(
                f"{self.devices} devices cannot share a batch of {self.batch} images evenly",
                remedy="choose a multiple of the number of devices as --batch",
            )
        if self.batch < 2 * self.devices:
            raise BadInput(
                f"batch is {self.batch}, BatchNorm needs at least 2 images on each device",
                remedy=f"choose --batch {2 * self.devices} or more",
            )
        if not 0 <= self.seed < 2**32:
            raise _wrong(self, "seed", f"0 to {2**32 - 1}")

    def for_images(self, images: int) -> "Recipe":
        """The recipe with enough epochs for at least `steps` steps on this many images."""
        return replace(self, epochs=max(self.epochs, -(-self.steps // self.epoch_steps(images))))

    def epoch_steps(self, images: int) -> int:
        """Batches per epoch; the last one is filled up."""
        return -(-images // self.batch)

    def rate(self, done: float) -> float:
        """The factor of the learning rates after the share `done` (0 to 1) of the run."""
        if self.schedule == "poly":
            return float((1 - done) ** self.power)
        return float(0.1 ** sum(done >= step for step in _STEPS))


@dataclass(frozen=True, kw_only=True)
class HeadRecipe:
    """How the head on a frozen backbone is trained (trainer/hypercolumns).

    steps: number of batches; batch: labelled pixels per batch. balance: a class is drawn in
    proportion to its number of labels to the power of 1 - balance; 0: all pixels alike, 1: all
    classes alike. rise: share of the steps in which the learning rate rises.
    """

    steps: int = 1000
    batch: int = 256
    lr: float = 2e-3
    weight_decay: float = 1e-2
    balance: float = 0.5
    rise: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise _wrong(self, name, "a positive number")
        for name, least, most in (
            ("steps", 10, math.inf),  # with fewer steps the rate never rises
            ("weight_decay", 0, math.inf),
            ("balance", 0, 1),
            ("rise", 0, 1),
            ("seed", 0, 2**32 - 1),
        ):
            if not least <= getattr(self, name) <= most or math.isinf(getattr(self, name)):
                raise _wrong(self, name, f"{least} to {most}")


def _wrong(recipe: Recipe | HeadRecipe, name: str, expected: str) -> BadInput:
    value = getattr(recipe, name)
    return BadInput(
        f"{name} is {value!r}, expected {expected}",
        remedy="choose such a value, or leave it away for the default",
    )


# Shin et al. 2021, settings of their code; 100 epochs as in Didari et al. 2024. For ADE20K, which
# is not in the former: the settings of Cityscapes, and ten pixels per image as in the latter.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "cityscapes": {"epochs": 100, "batch": 4},
    "camvid": {"epochs": 100, "batch": 4, "schedule": "step"},
    "voc2012": {
        "epochs": 100,
        "batch": 10,
        "optimiser": "sgd",
        "lr": 1e-2,
        "weight_decay": 5e-4,
        "jitter": 0.1,
    },
    "ade20k": {"epochs": 100, "batch": 4},
}
PIXELS = {"ade20k": 10}  # per image where it is not 5
# Mean and standard deviation of a dataset's pixels, 0 to 1, where they replace ImageNet's.
STATISTICS = {
    "cityscapes": ((0.2869, 0.3251, 0.2839), (0.1870, 0.1902, 0.1872)),
    "camvid": ((0.4119, 0.4251, 0.4327), (0.2741, 0.2851, 0.2828)),
}
_FPN = "fpn-resnet50"


_TUNED_AT_ONCE = 8  # images of a batch


def finetuning(epochs: int, given: Mapping[str, Any]) -> Recipe:
    """The recipe for tuning a trained head together with its backbone. Low rates keep the
    backbone's features from being distorted before the head fits them. Kumar et al. 2022.
    """
    devices = int(given.get("devices", 1))
    batch = -(-_TUNED_AT_ONCE // devices) * devices
    return Recipe(**{"epochs": epochs, "batch": batch, "lr": 2e-4, "jitter": 0.2, **given})


# A whole network trained on few images needs steps, not epochs (docs/results.md: under-training).
LEAST_STEPS = 3000


def recipe(preset: str | None, network: str, given: Mapping[str, Any]) -> Recipe:
    """The recipe of a preset (None: the defaults), with the values of `given` in place of its own.

    Without epochs or steps in `given`, it has at least LEAST_STEPS steps.
    """
    settings = dict(PRESETS[preset]) if preset else {}
    if "steps" in given and "epochs" not in given:
        settings["epochs"] = 1
    elif "epochs" not in given:
        settings["steps"] = LEAST_STEPS
    if preset == "voc2012" and network == _FPN:
        settings["weight_decay"] = 1e-4
    return Recipe(**{**settings, **given})
