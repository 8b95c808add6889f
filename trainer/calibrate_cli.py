"""The command trainer calibrate."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.console import Number, progress, say
from scorer.files import check_writable
from scorer.labels.store import SUFFIX
from trainer import options
from trainer.absent import check_data, check_labels, check_model
from trainer.calibration import LEAST, MOST
from trainer.options import needs, needs_torch

if TYPE_CHECKING:
    from trainer.calibration.job import Calibrated


@click.command("calibrate")
@options.data
@options.model
@options.own_network
@click.option(
    "--labels",
    type=options.FILE,
    help="labels.db of a live session, whose audit answers no model has learned from.  "
    "[default: the clicks, or else random pixels of the masks, of [val] in dataset.toml]",
)
@click.option(
    "--out",
    type=options.FILE,
    help="File that the calibrated model is written to.  [default: that of --model, in place]",
)
@options.reliability
@click.option(
    "--temperature",
    type=Number(LEAST, MOST),
    help="Set this temperature instead of fitting one. 1 takes all calibration back.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON on stdout.")
def calibrate_command(
    data: Path, model: Path, network: str | None, labels: Path | None, out: Path | None,
    reliability: Path | None, temperature: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Divide a model's class scores by a temperature to make its probabilities reliable.

    The temperature is fitted on labelled pixels that the model was not trained on. The model is
    written only if cross-validation over the photographs shows that the temperature helps. The
    predicted classes stay the same. Graphs that are exported afterwards include the temperature.

    \b
    Examples:
      trainer calibrate
      trainer calibrate --labels labels.db --reliability reliability.png
      trainer calibrate --out calibrated.safetensors
      trainer calibrate --temperature 1
    """
    needs_torch()
    if reliability is not None:
        needs("matplotlib", "plots")
        check_writable(reliability)
    check_model(model)
    if temperature is not None:
        if labels or reliability or as_json:
            raise click.UsageError(
                "--temperature fits and measures nothing: leave --labels, --reliability, and "
                "--json out"
            )
        _set(model, network, temperature, out or model)
        return
    check_data(data)
    check_labels(labels if labels is not None and labels.suffix == SUFFIX else None)
    found = _calibrated(model, data, labels, out, network)
    for name, reason in found.skipped:
        say(f"skipped {name}: {reason}", style="yellow")
    _print(found, as_json)
    if reliability is not None:
        from trainer.calibration import plot  # noqa: PLC0415

        verdict = found.verdict
        plot.draw({"before": verdict.before, "after": verdict.after}, reliability)
        say(f"wrote {reliability}")
    _tell(found, _words(found.written, network))


def _calibrated(
    model: Path, data: Path, labels: Path | None, out: Path | None, network: str | None
) -> "Calibrated":
    from trainer import dataset  # noqa: PLC0415

    dataset.read(data)  # what is wrong with it is said before PyTorch is loaded
    from trainer.api import calibrate  # noqa: PLC0415

    with progress("images") as bar:
        task = bar.add_task("looking", total=None)

        def on_image(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return calibrate(model, data, labels=labels, out=out, network=network, on_image=on_image)


def _set(path: Path, network: str | None, temperature: float, out: Path) -> None:
    from trainer import model  # noqa: PLC0415
    from trainer.calibration import job  # noqa: PLC0415

    built, card = model.load(path, network)
    job.write(built, card, temperature, out)
    say(
        f"wrote {out} with temperature {temperature:g}, before {card.temperature:.4g}; "
        f"next: python -m export onnx --mc 20{_words(out, network)}",
        style="green",
    )


def _print(found: "Calibrated", as_json: bool) -> None:
    verdict = found.verdict
    if as_json:
        table: dict[str, Any] = {
            "temperature": found.temperature,
            "written": found.written is not None,
            "fitted": verdict.temperature,
            "error_of_logarithm": None if math.isinf(verdict.error) else verdict.error,
            "before": {"ece": verdict.before.ece, "nll": verdict.nll_before},
            "after": {"ece": verdict.after.ece, "nll": verdict.nll_after},
            "images": verdict.images,
            "pixels": verdict.pixels,
        }
        click.echo(json.dumps(table))
        return
    click.echo(f"{verdict.pixels} pixels of {verdict.images} photographs")
    click.echo("            before  after")
    click.echo(f"ECE         {verdict.before.ece:.4f}  {verdict.after.ece:.4f}")
    click.echo(f"NLL (nats)  {verdict.nll_before:.4f}  {verdict.nll_after:.4f}")


def _tell(found: "Calibrated", words: str) -> None:
    verdict = found.verdict
    if verdict.temperature is None:
        say(
            "nothing is written: no temperature is best, because the model is right at every pixel "
            "(of some nine tenths of the photographs), or no better than guessing; with more "
            "labelled pixels there is one",
            style="yellow",
        )
        return
    spread = math.exp(verdict.error)
    says = f"temperature {verdict.temperature:.4g}, standard error a factor of {spread:.3f}"
    if found.written is None:
        say(
            f"nothing is written: {says}; chance alone gives as much, or the NLL does not fall",
            style="yellow",
        )
        return
    say(says)
    say(
        f"wrote {found.written} with temperature {found.temperature:.4g}; "
        f"next: python -m export onnx --mc 20{words}",
        style="green",
    )


def _words(out: Path | None, network: str | None) -> str:
    """The options with which a following command finds this model."""
    words = "" if out is None or out.name == "model.safetensors" else f" --model {out}"
    return words + (f" --network {network}" if network else "")
