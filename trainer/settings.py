"""Converts the training options, by name, to the options of a job."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from scorer.console import say
from scorer.errors import BadInput
from trainer.options import AUTO, HEAD, HEADS, OF_BOTH, OF_WHOLE, WHOLE, training
from trainer.recipe import PIXELS, STATISTICS, HeadRecipe, Recipe, finetuning, recipe

if TYPE_CHECKING:
    from trainer.fit_options import FitOptions

_PAPER = WHOLE[1:]


def defaults() -> dict[str, Any]:
    """The default values of the training options, by the names of `fit_options`."""
    command = click.command()(training(lambda **_: None))
    return dict(command.make_context("fit", []).params)


def fit_options(
    settings: Mapping[str, Any], *, seed: int, pixels: int | None = None, **others: Any
) -> "FitOptions":
    """The options of a training job; values that `settings` leaves open are those of the preset.

    settings: values of all training options, by name. Raises BadInput for options without effect.
    """
    from trainer.fit_options import FitOptions  # noqa: PLC0415

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
        # They replace those of ImageNet, with which the paper's networks were pre-trained.
        statistics=STATISTICS.get(preset) if network in _PAPER else None,
        dropout=settings["dropout"],
        dropout_kind=settings["dropout_kind"],
        kept=settings["keep"],
        recipe=_head_recipe(settings, seed) if head else _whole_recipe(settings, network, seed),
        finetune=_finetuning(settings, seed) if settings["finetune"] else None,
        **others,
    )


def _taken(settings: Mapping[str, Any]) -> tuple[str, str]:
    """The network that "auto" stands for, and the reason."""
    whole = [f"--{name.replace('_', '-')}" for name in ("preset", *OF_WHOLE) if settings[name]]
    whole += ["--devices"] * (settings["devices"] > 1)
    if whole and not settings["finetune"]:
        return WHOLE[0], f"{whole[0]} is for networks that train as a whole; a head takes none"
    return HEADS[0], "from few clicks a head on a frozen backbone learns most, in seconds"


def _check(network: str, settings: Mapping[str, Any], head: bool) -> None:
    """Raise BadInput for options that would have no effect."""
    tuned = settings["finetune"] is not None
    without: tuple[str, ...] = ("finetune",)
    if head:
        without = ("preset", "epochs") if tuned else ("preset", *OF_WHOLE)
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
    return HeadRecipe(**_given(settings, OF_BOTH), seed=seed)


def _whole_recipe(settings: Mapping[str, Any], network: str, seed: int) -> Recipe:
    given = _given(settings, OF_WHOLE + OF_BOTH)
    return recipe(settings["preset"], network, given | _shared(settings, seed))


def _finetuning(settings: Mapping[str, Any], seed: int) -> Recipe:
    given = _given(settings, OF_WHOLE)
    return finetuning(settings["finetune"], given | _shared(settings, seed))


def _shared(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {"seed": seed, "devices": settings["devices"]}
