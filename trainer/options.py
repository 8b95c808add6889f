"""Command-line options that the training commands share."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from scorer import options
from scorer.console import Number, Size
from scorer.errors import MissingDependency
from trainer.recipe import (
    LABELS,
    LEAST_STEPS,
    OPTIMISERS,
    PRESETS,
    SCHEDULES,
    HeadRecipe,
    Recipe,
)

FILE = click.Path(path_type=Path)
# Copies of trainer.networks.NAMES, because this module must not load PyTorch: heads on a frozen
# backbone, and networks that are trained as a whole.
HEADS = (
    "pixelhead-efficientnet-lite0", "pixelhead-mobilenetv2", "pixelhead-resnet50",
    "pixelhead-dinov2",
)  # fmt: skip
WHOLE = ("deeplabv3plus-efficientnet-lite0", "deeplabv3plus-mobilenetv2", "fpn-resnet50")
NETWORKS = (*HEADS, *WHOLE)
AUTO = "auto"
HEAD = "pixelhead-"
_FACTORY = re.compile(r"(pixelhead-)?[\w.]+:\w+")
_USUAL, _HEAD = Recipe(), HeadRecipe()
# Settings of whole networks only, and settings that heads have, too.
OF_WHOLE = ("epochs", "optimiser", "schedule", "augment_labels", "precision")
OF_BOTH = ("steps", "batch", "lr", "weight_decay")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Network(click.ParamType):  # type: ignore[type-arg]
    """The name of a network of this package, or package.module:factory."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in (AUTO, *NETWORKS) and not _FACTORY.fullmatch(value):
            self.fail(
                f"{value!r}: choose {AUTO}, {', '.join(NETWORKS)}, package.module:factory, or "
                "pixelhead-package.module:factory",
                param,
                ctx,
            )
        return str(value)


data = click.option(
    "--data",
    type=FILE,
    default="dataset.toml",
    show_default=True,
    help="Description of the dataset.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of all random numbers of training.",
)
resume = options.resume
model = click.option(
    "--model",
    type=FILE,
    default="model.safetensors",
    show_default=True,
    help="Model to read.",
)
own_network = click.option(
    "--network",
    type=Network(),
    help="Python code that the model was trained with, package.module:factory, if it is a "
    "network of yours.",
)
reliability = click.option(
    "--reliability",
    type=FILE,
    help="PNG file for a reliability plot: how often the model is right, over how sure it says it "
    "is.",
)


def _setting(name: str, kind: Any, text: str = "") -> Decorator:
    """An option of the recipes; its default is that of the preset or of the recipe."""
    field = name.replace("-", "_")
    usual = f"the preset's, or {getattr(_USUAL, field)}"
    if field in OF_BOTH:
        usual = f"{getattr(_HEAD, field)} of a head; of a whole network {usual}"
    return click.option(f"--{name}", type=kind, help=f"{text}  [default: {usual}]")


_TRAINING = (
    click.option(
        "--network",
        type=Network(),
        default=AUTO,
        show_default=True,
        help="Network to train. A head that learns on a frozen backbone, in seconds: "
        f"{', '.join(HEADS)}. A network that is trained as a whole: {', '.join(WHOLE)}. A network "
        "of yours: package.module:factory, a function that takes the number of classes and returns "
        "a torch.nn.Module, or pixelhead-package.module:factory, a function that returns a "
        "backbone. auto chooses, and prints what it takes and why.",
    ),
    click.option(
        "--weights",
        default="auto",
        show_default=True,
        help="Pre-trained weights of the backbone, or of a network of yours as a whole: auto "
        "(ImageNet, where they are installed), none, or a .pth or .safetensors file.",
    ),
    click.option(
        "--preset",
        type=click.Choice(tuple(PRESETS)),
        help="Published settings for a dataset: 100 epochs, optimiser, schedule and pixel "
        "statistics.",
    ),
    _setting("epochs", click.IntRange(1), "Number of times that a whole network sees every image."),
    click.option(
        "--steps",
        type=click.IntRange(10),
        help=f"Number of batches to learn from.  [default: {_HEAD.steps} of a head; of a whole "
        f"network at least {LEAST_STEPS}, where --epochs is not given]",
    ),
    _setting(
        "batch",
        click.IntRange(2),
        "Size of a batch: labelled pixels for a head, images for a whole network.",
    ),
    _setting(
        "lr",
        Number(0, min_open=True),
        "Learning rate of the new layers. The backbone learns at a tenth of it.",
    ),
    _setting("optimiser", click.Choice(OPTIMISERS), "Optimiser of a whole network."),
    _setting(
        "schedule",
        click.Choice(SCHEDULES),
        "Learning rate schedule of a whole network; step divides the rate by ten after 40 % and "
        "80 % of the epochs.",
    ),
    _setting("weight-decay", Number(0), "Weight decay of the optimiser."),
    _setting(
        "augment-labels",
        click.Choice(LABELS),
        "What augmentation does to labels: move their coordinates with the image, or "
        "scale a mask of them.",
    ),
    click.option(
        "--size",
        type=Size(),
        help="Size of the grid that the network sees, HEIGHTxWIDTH.  [default: that of "
        "dataset.toml]",
    ),
    click.option(
        "--dropout",
        type=Number(0, 1, min_open=True, max_open=True),
        default=0.2,
        show_default=True,
        help="Dropout rate before the classifier.",
    ),
    click.option(
        "--dropout-kind",
        type=click.Choice(("channel", "elementwise")),
        default="channel",
        show_default=True,
        help="What a dropout mask removes: whole channels, or single values.",
    ),
    click.option(
        "--devices",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Number of GPUs that share every batch.",
    ),
    _setting(
        "precision",
        click.Choice(("auto", "32-true", "bf16-mixed", "16-mixed")),
        "Precision of training.",
    ),
    click.option(
        "--finetune",
        type=click.IntRange(1),
        metavar="EPOCHS",
        help="Number of epochs for which the fitted head and its backbone are then trained "
        "together, at low learning rates.",
    ),
    click.option(
        "--keep",
        type=Number(0),
        default=8.0,
        show_default=True,
        help="Largest size of the cache of backbone features beside the model, in GB. With "
        "them more clicks cost seconds; 0 keeps nothing.",
    ),
)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the training options to a command, which passes their values to settings.fit_options."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def needs_torch() -> None:
    """Raise MissingDependency unless the packages for training are installed; loads none of
    them.
    """
    for name in (
        "torch",
        "jaxtyping",
        "lightning_fabric",
        "safetensors",
        "torchmetrics",
        "psutil",
        "filelock",
    ):
        if find_spec(name) is None:
            raise MissingDependency(
                f"training needs {name}", remedy="pip install 'balentacq[train]'"
            )


def needs(package: str, what: str, extra: str = "train") -> None:
    """Raise MissingDependency if `package` is not installed, before any work is done."""
    if find_spec(package) is None:
        raise MissingDependency(
            f"{what} need {package}", remedy=f"pip install 'balentacq[{extra}]'"
        )
