"""Options of the command line that the commands which train share."""

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.console import Number, Size
from scorer.errors import MissingDependency
from trainer.recipe import (
    LABELS,
    OPTIMISERS,
    PIXELS,
    PRESETS,
    SCHEDULES,
    STATISTICS,
    Recipe,
    recipe,
)

if TYPE_CHECKING:
    from trainer.job import Options

FILE = click.Path(path_type=Path)
# Also trainer.networks.NAMES, which this must know without PyTorch.
NETWORKS = ("deeplabv3plus-efficientnet-lite0", "deeplabv3plus-mobilenetv2", "fpn-resnet50")
_PAPER = NETWORKS[1:]
_FACTORY = re.compile(r"[\w.]+:\w+")
_USUAL = Recipe()
_RECIPE = (
    "epochs", "batch", "lr", "optimiser", "schedule", "weight_decay", "augment_labels", "precision",
)  # fmt: skip

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Network(click.ParamType):  # type: ignore[type-arg]
    """The name of a network of ours, or package.module:factory."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in NETWORKS and not _FACTORY.fullmatch(value):
            self.fail(
                f"{value!r}: choose {', '.join(NETWORKS)}, or package.module:factory", param, ctx
            )
        return str(value)


data = click.option(
    "--data", type=FILE, default="dataset.toml", show_default=True, help="What to learn from."
)
seed = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
resume = click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on from where an interrupted run of the same command stopped.",
)


def _setting(name: str, kind: Any, text: str = "") -> Decorator:
    """An option of the recipe: what is not given is the preset's, or the usual."""
    usual = getattr(_USUAL, name.replace("-", "_"))
    return click.option(f"--{name}", type=kind, help=f"{text}  [default: the preset's, or {usual}]")


_TRAINING = (
    click.option(
        "--network",
        type=Network(),
        default=NETWORKS[0],
        show_default=True,
        help=f"{', '.join(NETWORKS)}, or package.module:factory, your function of the number of "
        "classes that gives a torch.nn.Module.",
    ),
    click.option(
        "--weights",
        default="auto",
        show_default=True,
        help="Of the backbone, or of your own network as a whole: auto (ImageNet where installed), "
        "none, or a .pth/.safetensors file.",
    ),
    click.option(
        "--preset",
        type=click.Choice(tuple(PRESETS)),
        help="The published settings for a dataset: 100 epochs, optimiser, schedule, statistics.",
    ),
    _setting("epochs", click.IntRange(1)),
    _setting("batch", click.IntRange(2)),
    _setting(
        "lr",
        Number(0, min_open=True),
        "Learning rate of the new layers; the backbone learns at a tenth of it.",
    ),
    _setting("optimiser", click.Choice(OPTIMISERS)),
    _setting("schedule", click.Choice(SCHEDULES), "step: a tenth at 40% and at 80% of the epochs."),
    _setting("weight-decay", Number(0)),
    _setting(
        "augment-labels",
        click.Choice(LABELS),
        "Move the coordinates of labels with the image, or scale a mask of them.",
    ),
    click.option(
        "--size", type=Size(), help="Of the network's grid.  [default: from dataset.toml]"
    ),
    click.option(
        "--dropout",
        type=Number(0, 1, min_open=True, max_open=True),
        default=0.2,
        show_default=True,
    ),
    click.option(
        "--dropout-kind",
        type=click.Choice(("channel", "elementwise")),
        default="channel",
        show_default=True,
    ),
    click.option(
        "--devices",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="GPUs that share every batch.",
    ),
    _setting("precision", click.Choice(("auto", "32-true", "bf16-mixed", "16-mixed"))),
)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is trained and how; a command hands its keywords to `job`."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def job(
    settings: Mapping[str, Any], *, seed: int, pixels: int | None = None, **others: Any
) -> "Options":
    """The options of a training job; what `settings` leaves open is the preset's."""
    from trainer.job import Options  # noqa: PLC0415

    given = {name: settings[name] for name in _RECIPE if settings[name] is not None}
    preset, network = settings["preset"], settings["network"]
    return Options(
        network=network,
        weights=settings["weights"],
        pixels=pixels or PIXELS.get(preset, 5),
        # The statistics stand for ImageNet's, with which the paper's networks were pre-trained.
        statistics=STATISTICS.get(preset) if network in _PAPER else None,
        dropout=settings["dropout"],
        dropout_kind=settings["dropout_kind"],
        recipe=recipe(preset, network, {**given, "seed": seed, "devices": settings["devices"]}),
        **others,
    )


def needs_torch() -> None:
    """Raise MissingDependency unless all that training needs is installed."""
    try:
        import jaxtyping  # noqa: F401, PLC0415
        import lightning_fabric  # noqa: F401, PLC0415
        import safetensors  # noqa: F401, PLC0415
        import torch  # noqa: F401, PLC0415
        import torchmetrics  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependency(
            f"training needs {error.name}", remedy="pip install 'balentacq[train]'"
        ) from error


def needs(package: str, what: str) -> None:
    """Raise MissingDependency now, and not when the work is done."""
    if find_spec(package) is None:
        raise MissingDependency(f"{what} need {package}", remedy="pip install 'balentacq[train]'")
