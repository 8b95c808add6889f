"""The command line of the trainer."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer import __version__
from scorer import options as shared
from scorer.console import Program, progress, say
from scorer.errors import SOME_SKIPPED, BadDataset
from scorer.files import check_writable, replacing
from scorer.labels.store import SUFFIX
from scorer.options import on_conflict as conflict_option
from trainer import options
from trainer.absent import check_data, check_folder, check_labels, check_model, check_weights
from trainer.calibrate_cli import calibrate_command
from trainer.live.cli import live_command
from trainer.options import needs, needs_torch
from trainer.screen import Screen
from trainer.settings import fit_options
from trainer.simulation.cli import simulate_command

if TYPE_CHECKING:
    from trainer.dataset import Dataset
    from trainer.evaluation import Evaluation
    from trainer.fit_options import FitOptions


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trainer")
def main() -> None:
    """Train a segmentation network from a few labelled pixels per image.

    Any command takes --verbose to show the traceback of an error.
    """


@main.command("init")
@click.argument("folder", type=options.FILE, default=".")
@click.option(
    "--out",
    type=options.FILE,
    help="File to write; the paths in it start from FOLDER.  [default: FOLDER/dataset.toml]",
)
@click.option("--force", is_flag=True, help="Replace a dataset.toml that exists.")
@shared.classes("Names of the classes, the first is mask value 0, where no file in FOLDER has them")
def init_command(
    folder: Path, out: Path | None, force: bool, classes: tuple[str, ...] | None
) -> int:
    """Write a commented dataset.toml for a folder, and print what was found in it.

    Recognised: images/ with or without masks/, split into train and val inside, outside or by
    lists, as mmsegmentation, Roboflow, CVAT, labelme and others write them; and CamVid, Cityscapes,
    PASCAL VOC 2012 and ADE20K as published. A folder that cannot be used for training is an error;
    if some images or masks cannot be used, the exit code is 4.

    \b
    Examples:
      trainer init
      trainer init --classes background,road,car
      trainer init /data/camvid --out dataset.toml
    """
    from trainer.detect import detect  # noqa: PLC0415

    target = out or folder / "dataset.toml"
    if target.exists() and not force:
        raise BadDataset(f"{target} exists already", remedy="replace it with --force")
    detection = detect(folder, written_to=target.parent, classes=classes)
    with replacing(target) as file:
        file.write(detection.toml)
    for line in detection.lines():
        say(line)
    say(f"wrote {target}; next: {detection.next_command(target)}", style="green")
    return SOME_SKIPPED if detection.unusable else 0


@main.command("fit")
@options.data
@click.option(
    "--labels",
    type=options.FILE,
    help="Clicked pixels: labels.db, or a CSV with the columns "
    "image,row,col,label.  [default: `labels` of dataset.toml, else labels.db if it is there, else "
    "drawn from the masks]",
)
@conflict_option("a CSV gives")
@click.option(
    "--dense-labels",
    type=options.FILE,
    help="Folder of masks of some of the photographs, of scorer labels import --dense: to learn "
    "from their pixels, too.",
)
@click.option(
    "--pixels",
    type=click.IntRange(1),
    help="Number of pixels to draw at random from each mask where there is no labels "
    "file.  [default: 5]",
)
@click.option(
    "--with-audits",
    "audits",
    is_flag=True,
    help="Also train on the audit answers of a live session. Use it when the session has ended.",
)
@options.training
@options.seed
@click.option(
    "--out",
    type=options.FILE,
    default="model.safetensors",
    show_default=True,
    help="File that the model is written to.",
)
@options.resume
def fit_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    data: Path, labels: Path | None, on_conflict: str, dense_labels: Path | None,
    pixels: int | None, audits: bool, seed: int, out: Path, resume: bool, **settings: Any,
) -> None:  # fmt: skip
    """Train on sparse labels, and write one file with the model and its configuration.

    Labels come from --labels and --dense-labels, from `labels` and `dense_labels` in dataset.toml,
    from labels.db if it exists, or are drawn at random from the masks and kept beside the model
    (for `scorer rank --labels`). By default a small head is trained on a frozen backbone, in
    seconds; the backbone's features are kept beside the model, so that only images with new clicks
    cost time. After Ctrl-C or a kill the same command continues, with the kept features or after
    the last epoch.

    \b
    Examples:
      trainer fit
      trainer fit --labels labels.db
      trainer fit --labels labels.db --dense-labels corrected
      trainer fit --labels labels.db --with-audits
      trainer fit --labels labels.db --finetune 6
      trainer fit --preset camvid --network deeplabv3plus-mobilenetv2
      trainer fit --network fpn-resnet50 --weights resnet50-11ad3fa6.pth
      trainer fit --network mynets.unet:build --weights unet.pth
    """
    needs_torch()
    check_folder(dense_labels, "--dense-labels")
    described = _described(data, settings, labels)
    chosen = fit_options(
        settings, seed=seed, labels=labels, on_conflict=on_conflict, dense_labels=dense_labels,
        pixels=pixels, audits=audits, resume=resume,
        store=None if pixels else Path(f"labels{SUFFIX}"),
    )  # fmt: skip
    _train(described, out, chosen, f"python -m export onnx --mc 20{_model_words(out, chosen)}")


@main.command("supervised")
@options.data
@options.training
@options.seed
@click.option(
    "--out",
    type=options.FILE,
    default="supervised.safetensors",
    show_default=True,
    help="File that the model is written to.",
)
@options.resume
def supervised_command(data: Path, seed: int, out: Path, resume: bool, **settings: Any) -> None:
    """Train on whole masks, as a baseline for training on few labels.

    \b
    Examples:
      trainer supervised
      trainer supervised --preset camvid --network deeplabv3plus-mobilenetv2
    """
    needs_torch()
    described = _described(data, settings)
    chosen = fit_options(settings, seed=seed, dense=True, resume=resume)
    _train(described, out, chosen, f"trainer evaluate{_model_words(out, chosen)}")


def _described(data: Path, settings: dict[str, Any], labels: Path | None = None) -> "Dataset":
    """The dataset, at the size that the options say; takes the size out of them."""
    from trainer import dataset  # noqa: PLC0415

    check_data(data)
    check_labels(labels)
    check_weights(settings["weights"])
    read = dataset.read(data)
    return replace(read, size=settings.pop("size") or read.size)


def _train(described: "Dataset", out: Path, chosen: "FitOptions", following: str) -> None:
    from trainer import job  # noqa: PLC0415

    with Screen() as screen:
        evaluation = job.train(described, out, chosen, screen)
    if evaluation is not None:
        say(f"mIoU {evaluation.miou:.4f} on {evaluation.images} validation images")
    say(f"wrote {out}; next: {following}", style="green")


def _model_words(out: Path, chosen: "FitOptions") -> str:
    """The options with which a following command finds this model."""
    words = "" if out.name == "model.safetensors" else f" --model {out}"
    return words + (f" --network {chosen.network}" if ":" in chosen.network else "")


main.add_command(simulate_command)
main.add_command(live_command)


@main.command("evaluate")
@options.data
@options.model
@options.own_network
@click.option(
    "--split",
    type=click.Choice(("val", "train")),
    default="val",
    show_default=True,
    help="Split of the dataset to measure on.",
)
@click.option(
    "--masks",
    type=options.FILE,
    help="Folder of masks to measure in place of a model, such as scorer segment writes.",
)
@options.reliability
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON on stdout.")
def evaluate_command(
    data: Path, model: Path, network: str | None, split: str, masks: Path | None,
    reliability: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Print intersection over union per class, their mean, and the expected calibration error.

    \b
    Examples:
      trainer evaluate
      trainer evaluate --model other.safetensors --split train --json
      trainer evaluate --masks masks
      trainer evaluate --reliability reliability.png
    """
    needs_torch()
    check_data(data)
    check_folder(masks, "--masks")
    if masks is None:
        check_model(model)
    if reliability is not None:
        needs("matplotlib", "plots")
        check_writable(reliability)
        if masks is not None:
            raise click.UsageError("masks do not say how sure a model is: no --reliability of them")
    from trainer import dataset  # noqa: PLC0415

    classes = dataset.read(data).classes.names  # before PyTorch is loaded
    from trainer.api import doubt_of_masks, evaluate, evaluate_masks  # noqa: PLC0415

    with progress("images") as bar:
        task = bar.add_task("evaluating", total=None)

        def on_image(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if masks is not None:
            evaluation = evaluate_masks(masks, data, split=split, on_image=on_image)
        else:
            evaluation = evaluate(model, data, split=split, network=network, on_image=on_image)
    if masks is not None and (doubt := doubt_of_masks(masks, data, split)):
        say(doubt, style="yellow")
    for name, reason in evaluation.skipped:
        say(f"skipped {name}: {reason}", style="yellow")
    _print(evaluation, classes, as_json)
    if reliability is not None and evaluation.reliability is not None:
        from trainer.calibration import plot  # noqa: PLC0415

        plot.draw({model.name: evaluation.reliability}, reliability)
        say(f"wrote {reliability}")


main.add_command(calibrate_command)


def _print(evaluation: "Evaluation", classes: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        known = {
            n: None if math.isnan(v) else v for n, v in zip(classes, evaluation.iou, strict=True)
        }
        table = {"miou": evaluation.miou, "iou": known, "accuracy": evaluation.accuracy}
        sure = {} if evaluation.reliability is None else {"ece": evaluation.reliability.ece}
        click.echo(json.dumps(table | sure | {"images": evaluation.images}))
        return
    width = max(map(len, (*classes, "pixel accuracy")))
    for name, iou in zip(classes, evaluation.iou, strict=True):
        click.echo(f"{name:<{width}}  " + ("absent" if math.isnan(iou) else f"{iou:.4f}"))
    click.echo(f"{'mIoU':<{width}}  {evaluation.miou:.4f}")
    click.echo(f"{'pixel accuracy':<{width}}  {evaluation.accuracy:.4f}")
    if evaluation.reliability is not None:
        click.echo(f"{'ECE':<{width}}  {evaluation.reliability.ece:.4f}")
