"""Options of the command line that the commands which train share."""

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.console import Number, Size, say
from scorer.errors import BadInput, MissingDependency
from trainer.recipe import (
    LABELS,
    LEAST_STEPS,
    OPTIMISERS,
    PIXELS,
    PRESETS,
    SCHEDULES,
    STATISTICS,
    HeadRecipe,
    Recipe,
    finetuning,
    recipe,
)

if TYPE_CHECKING:
    from trainer.job import FitOptions

FILE = click.Path(path_type=Path)
# Also trainer.networks.NAMES, which this must know without PyTorch: heads on a frozen backbone, and
# networks that train as a whole.
HEADS = (
    "pixelhead-efficientnet-lite0", "pixelhead-mobilenetv2", "pixelhead-resnet50",
    "pixelhead-dinov2",
)  # fmt: skip
WHOLE = ("deeplabv3plus-efficientnet-lite0", "deeplabv3plus-mobilenetv2", "fpn-resnet50")
NETWORKS = (*HEADS, *WHOLE)
AUTO = "auto"
HEAD = "pixelhead-"
_PAPER = WHOLE[1:]
_FACTORY = re.compile(r"(pixelhead-)?[\w.]+:\w+")
_USUAL, _HEAD = Recipe(), HeadRecipe()
# What only training as a whole takes, and what a head takes, too.
_OF_WHOLE = ("epochs", "optimiser", "schedule", "augment_labels", "precision")
_OF_BOTH = ("steps", "batch", "lr", "weight_decay")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Network(click.ParamType):  # type: ignore[type-arg]
    """The name of a network of ours, or package.module:factory."""

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
resume = click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Continue an interrupted run of the same command, or begin anew.",
)


def _setting(name: str, kind: Any, text: str = "") -> Decorator:
    """An option of the recipes: what is not given is the preset's, or the usual."""
    field = name.replace("-", "_")
    usual = f"the preset's, or {getattr(_USUAL, field)}"
    if field in _OF_BOTH:
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
    """What is trained and how; a command hands its keywords to `job`."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def defaults() -> dict[str, Any]:
    """What the options of training are where nothing is given, by the names that `job` takes."""
    command = click.command()(training(lambda **_: None))
    return dict(command.make_context("fit", []).params)


def job(
    settings: Mapping[str, Any], *, seed: int, pixels: int | None = None, **others: Any
) -> "FitOptions":
    """The options of a training job; what `settings` leaves open is the preset's."""
    from trainer.job import FitOptions  # noqa: PLC0415

    network, preset = settings["network"], settings["preset"]
    if network == AUTO:
        network, why = _taken(settings)
        say(f"network {network}: {why}")
    head = network.startswith(HEAD)
    _check(network, settings, head)
    return FitOptions(
        network=network,
        weights=settings["weights"],
        pixels=pixels or PIXELS.get(preset, 5),
        # The statistics stand for ImageNet's, with which the paper's networks were pre-trained.
        statistics=STATISTICS.get(preset) if network in _PAPER else None,
        dropout=settings["dropout"],
        dropout_kind=settings["dropout_kind"],
        kept=settings["keep"],
        recipe=_head_recipe(settings, seed) if head else _whole_recipe(settings, network, seed),
        finetune=_finetuning(settings, seed) if settings["finetune"] else None,
        **others,
    )


def _taken(settings: Mapping[str, Any]) -> tuple[str, str]:
    """The network that "auto" means, and why."""
    whole = [f"--{name.replace('_', '-')}" for name in ("preset", *_OF_WHOLE) if settings[name]]
    whole += ["--devices"] * (settings["devices"] > 1)
    if whole and not settings["finetune"]:
        return WHOLE[0], f"{whole[0]} is for networks that train as a whole; a head takes none"
    return HEADS[0], "from few clicks a head on a frozen backbone learns most, in seconds"


def _check(network: str, settings: Mapping[str, Any], head: bool) -> None:
    """Refuse what would have no effect."""
    tuned = settings["finetune"] is not None
    without: tuple[str, ...] = ("finetune",)
    if head:
        without = ("preset", "epochs") if tuned else ("preset", *_OF_WHOLE)
    given = [name for name in without if settings[name] is not None]
    if head and not tuned and settings["devices"] > 1:
        given.append("devices")
    if not given:
        return
    option = f"--{given[0].replace('_', '-')}"
    if head:
        raise BadInput(
            f"{option}: of no effect on {network}, whose head learns by --steps",
            remedy="--finetune EPOCHS then trains all of it; or choose another --network",
        )
    raise BadInput(
        f"{option}: {network} trains as a whole already", remedy=f"choose --network {HEADS[0]}"
    )


def _given(settings: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: settings[name] for name in names if settings[name] is not None}


def _head_recipe(settings: Mapping[str, Any], seed: int) -> HeadRecipe:
    return HeadRecipe(**_given(settings, _OF_BOTH), seed=seed)


def _whole_recipe(settings: Mapping[str, Any], network: str, seed: int) -> Recipe:
    given = _given(settings, _OF_WHOLE + _OF_BOTH)
    return recipe(settings["preset"], network, given | _shared(settings, seed))


def _finetuning(settings: Mapping[str, Any], seed: int) -> Recipe:
    given = _given(settings, _OF_WHOLE)
    return finetuning(settings["finetune"], given | _shared(settings, seed))


def _shared(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {"seed": seed, "devices": settings["devices"]}


def needs_torch() -> None:
    """Raise MissingDependency unless all that training needs is installed; nothing is loaded."""
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


def needs(package: str, what: str) -> None:
    """Raise MissingDependency now, and not when the work is done."""
    if find_spec(package) is None:
        raise MissingDependency(f"{what} need {package}", remedy="pip install 'balentacq[train]'")
