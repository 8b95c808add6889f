"""The command trainer simulate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from scorer.console import Distance, Number, say
from scorer.contract import ACQUISITIONS
from trainer import options
from trainer.absent import check_data, check_model, check_weights
from trainer.settings import fit_options
from trainer.simulation.screen import CampaignScreen


class _Names(click.ParamType):  # type: ignore[type-arg]
    """Acquisitions, separated by commas."""

    name = "NAME,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",")))
        if unknown := [name for name in names if name not in ACQUISITIONS]:
            self.fail(f"{unknown[0]!r}: choose among {', '.join(ACQUISITIONS)}", param, ctx)
        return names


class _Seeds(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers, separated by commas."""

    name = "SEED,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isdecimal() and int(part) < 2**32 for part in parts):
            self.fail(f"{value!r}: expected seeds such as 0,1,2", param, ctx)
        return tuple(dict.fromkeys(map(int, parts)))


# Options that are fields of a plan.
_PLANNED = (
    "acquisitions", "seeds", "rounds", "budget", "passes", "scorer", "most_labels", "target",
    "patience",
)  # fmt: skip


@click.command("simulate")
@options.data
@click.option(
    "--acquisitions",
    type=_Names(),
    default="balentacq,random",
    show_default=True,
    help=f"Divided by commas, of {', '.join(ACQUISITIONS)}.",
)
@click.option(
    "--seeds",
    type=_Seeds(),
    default="0",
    show_default=True,
    help="Seeds to run, separated by commas.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Number of rounds after the random one.",
)
@click.option(
    "--n",
    type=click.IntRange(1),
    help="Number of pixels to label in each image and round.  [default: 5]",
)
@click.option(
    "--budget",
    type=click.IntRange(1),
    help="Number of pixels to label in the whole pool and round: the best ones, at most n "
    "of each image.  [default: n of every image]",
)
@click.option(
    "--min-distance",
    type=Distance(),
    default="auto",
    show_default=True,
    help="Minimum distance between chosen pixels, in pixels of the original image; auto "
    "derives it as scorer rank does, 0 is the rule of the paper: no distance.",
)
@click.option(
    "--mc",
    "passes",
    type=click.IntRange(2),
    default=20,
    show_default=True,
    help="Number of Monte Carlo dropout passes.",
)
@click.option(
    "--scorer",
    type=click.Choice(("torch", "graph")),
    default="torch",
    show_default=True,
    help="What scores the photographs: the model in PyTorch, or, more slowly, the commands "
    "export and scorer, as a team would.",
)
@click.option(
    "--stride",
    type=click.Choice(("auto", "1", "2", "4")),
    default="auto",
    show_default=True,
    help="Distance between scored pixels of the grid, as for python -m export onnx.",
)
@click.option(
    "--most-labels",
    type=click.IntRange(1),
    help="Number of labels after which an acquisition ends.",
)
@click.option(
    "--target", type=Number(0, 1), help="Mean intersection over union at which an acquisition ends."
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    help="Number of rounds without a better mean intersection over union after which an "
    "acquisition ends.",
)
@click.option(
    "--supervised",
    type=options.FILE,
    help="Model of trainer supervised, whose line the plots compare with.",
)
@options.training
@click.option(
    "--out",
    type=options.FILE,
    default="campaign",
    show_default=True,
    help="Folder that the campaign is written to.",
)
def simulate_command(data: Path, supervised: Path | None, out: Path, **given: Any) -> None:
    """Simulate active learning: the masks of [train] answer in an annotator's place.

    Round 0 labels n random pixels per image; every round trains from pre-trained weights on all
    labels so far, and asks for the next pixels. OUT/results.csv has a row per round,
    OUT/summary.csv means over the seeds and the labels that random needs for the same mIoU,
    OUT/*.png are the plots. After an interruption the same command continues; with more rounds,
    seeds or acquisitions it adds to the existing results.

    \b
    Examples:
      trainer simulate --acquisitions balentacq,random,entropy --rounds 5
      trainer simulate --seeds 0,1,2 --rounds 7 --supervised supervised.safetensors
      trainer simulate --n 20 --budget 1000 --min-distance 12 --patience 2
    """
    options.needs_torch()
    check_data(data)
    check_weights(given["weights"])
    if supervised is not None:
        check_model(supervised, "train one with: trainer supervised")
    options.needs("matplotlib", "plots")
    from trainer import dataset  # noqa: PLC0415

    described = dataset.read(data)  # before PyTorch is loaded
    from trainer.simulation import campaign, plots  # noqa: PLC0415
    from trainer.simulation.plan import Plan  # noqa: PLC0415

    size, n, distance = given.pop("size"), given.pop("n"), given.pop("min_distance")
    stride = given.pop("stride")
    planned = {name: given.pop(name) for name in _PLANNED}
    training = fit_options(given, seed=0, pixels=n)
    plan = Plan(
        n=training.pixels,
        distance=distance,
        stride=None if stride == "auto" else int(stride),
        training=training,
        **planned,
    )
    described = replace(described, size=size or described.size)
    line = plots.line_of(supervised, described, training.network) if supervised else None
    with CampaignScreen() as screen:
        results = campaign.simulate(described, out, plan, screen)
    drawn = plots.draw(results, described.classes, out, line)
    drawn += plots.draw_maps(described, out, plan)
    say(f"wrote {out / 'results.csv'} and {', '.join(path.name for path in drawn)}", style="green")
