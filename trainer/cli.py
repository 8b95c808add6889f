"""The command line of the trainer."""

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer import __version__
from scorer.console import Number, Program, Size, progress, say
from scorer.errors import BadDataset, MissingDependency
from scorer.files import replacing
from trainer.screen import Screen

if TYPE_CHECKING:
    from trainer.evaluate import Evaluation

_FILE = click.Path(path_type=Path)
_NETWORKS = ("deeplabv3plus-efficientnet-lite0", "deeplabv3plus-mobilenetv2", "fpn-resnet50")
_FACTORY = re.compile(r"[\w.]+:\w+")
_data = click.option(
    "--data", type=_FILE, default="dataset.toml", show_default=True, help="What to learn from."
)


class Network(click.ParamType):  # type: ignore[type-arg]
    """The name of a network of ours, or package.module:factory."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in _NETWORKS and not _FACTORY.fullmatch(value):
            self.fail(
                f"{value!r}: choose {', '.join(_NETWORKS)}, or package.module:factory", param, ctx
            )
        return str(value)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trainer")
def main() -> None:
    """Train a segmentation network from a few labelled pixels per image.

    Any command takes --verbose to show the traceback of an error.
    """


@main.command("init")
@click.argument("folder", type=_FILE, default=".")
@click.option(
    "--out",
    type=_FILE,
    help="Where to write it; paths in it then start from FOLDER.  [default: FOLDER/dataset.toml]",
)
@click.option("--force", is_flag=True, help="Replace a dataset.toml that is there already.")
def init_command(folder: Path, out: Path | None, force: bool) -> None:
    """Write a commented dataset.toml for a folder, and say what was found in it.

    Recognised: images/ with or without masks/ (and val/images, val/masks), and CamVid's
    train/ trainannot/ val/ valannot/.

    \b
    Examples:
      trainer init
      trainer init /data/camvid --out dataset.toml
    """
    from trainer.detect import detect  # noqa: PLC0415

    target = out or folder / "dataset.toml"
    if target.exists() and not force:
        raise BadDataset(f"{target} exists already", remedy="replace it with --force")
    detection = detect(folder, written_to=target.parent)
    with replacing(target) as file:
        file.write(detection.toml)
    for finding in detection.findings:
        say(finding)
    say(f"wrote {target}; next: trainer fit", style="green")


@main.command("fit")
@_data
@click.option(
    "--labels",
    type=_FILE,
    help="CSV image,row,col,label of clicked pixels.  [default: drawn from the masks]",
)
@click.option(
    "--pixels",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Pixels to draw at random from each mask, where there is no labels file.",
)
@click.option(
    "--network",
    type=Network(),
    default=_NETWORKS[0],
    show_default=True,
    help=f"{', '.join(_NETWORKS)}, or package.module:factory, your function of the number of "
    "classes that gives a torch.nn.Module.",
)
@click.option(
    "--weights",
    default="auto",
    show_default=True,
    help="Of the backbone, or of your own network as a whole: auto (ImageNet where installed), "
    "none, or a .pth/.safetensors file.",
)
@click.option("--epochs", type=click.IntRange(1), default=50, show_default=True)
@click.option("--batch", type=click.IntRange(2), default=4, show_default=True)
@click.option(
    "--lr",
    type=Number(0, min_open=True),
    default=5e-4,
    show_default=True,
    help="Learning rate of the new layers; the backbone learns at a tenth of it.",
)
@click.option("--size", type=Size(), help="Of the network's grid.  [default: from dataset.toml]")
@click.option(
    "--dropout",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
)
@click.option(
    "--dropout-kind",
    type=click.Choice(("channel", "elementwise")),
    default="channel",
    show_default=True,
)
@click.option(
    "--precision",
    type=click.Choice(("auto", "32-true", "bf16-mixed", "16-mixed")),
    default="auto",
    show_default=True,
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--out", type=_FILE, default="model.safetensors", show_default=True)
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on from the last epoch of an interrupted run of the same command.",
)
def fit_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    data: Path,
    labels: Path | None,
    pixels: int,
    network: str,
    weights: str,
    epochs: int,
    batch: int,
    lr: float,
    size: tuple[int, int] | None,
    dropout: float,
    dropout_kind: str,
    precision: str,
    seed: int,
    out: Path,
    resume: bool,
) -> None:
    """Train on sparse labels and write ONE file with the model and its configuration.

    Labels come from --labels, from `labels` in dataset.toml, or are drawn at random from the masks
    (then they are kept beside the model, for `scorer rank --labels`). Ctrl-C loses at most an
    epoch: the same command goes on.

    \b
    Examples:
      trainer fit
      trainer fit --labels labels.csv --epochs 100
      trainer fit --network deeplabv3plus-mobilenetv2 --weights mobilenet_v2-b0353104.pth
      trainer fit --network mynets.unet:build --weights unet.pth
    """
    _needs_torch()
    from dataclasses import replace  # noqa: PLC0415

    from trainer import dataset, job  # noqa: PLC0415
    from trainer.bayesian import is_factory  # noqa: PLC0415
    from trainer.fit import Recipe  # noqa: PLC0415

    described = dataset.read(data)
    described = replace(described, size=size or described.size)
    options = job.Options(
        network=network,
        weights=weights,
        labels=labels,
        pixels=pixels,
        dropout=dropout,
        dropout_kind=dropout_kind,
        recipe=Recipe(epochs=epochs, batch=batch, lr=lr, seed=seed, precision=precision),
        resume=resume,
    )
    with Screen() as screen:
        evaluation = job.train(described, out, options, screen)
    if evaluation is not None:
        say(f"mIoU {evaluation.miou:.4f} on {evaluation.images} validation images")
    other = "" if out.name == "model.safetensors" else f" --model {out}"
    other += f" --network {network}" if is_factory(network) else ""
    say(f"wrote {out}; next: python -m export onnx --mc 20{other}", style="green")


@main.command("evaluate")
@_data
@click.option("--model", type=_FILE, default="model.safetensors", show_default=True)
@click.option("--network", type=Network(), help="The code of yours that the model may run.")
@click.option("--split", type=click.Choice(("val", "train")), default="val", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON on stdout.")
def evaluate_command(
    data: Path, model: Path, network: str | None, split: str, as_json: bool
) -> None:
    """Print intersection over union per class, and their mean.

    \b
    Examples:
      trainer evaluate
      trainer evaluate --model other.safetensors --split train --json
    """
    _needs_torch()
    import torch  # noqa: PLC0415

    from trainer import dataset  # noqa: PLC0415
    from trainer.evaluate import evaluate  # noqa: PLC0415
    from trainer.model import load  # noqa: PLC0415

    built, card = load(model, network)
    built.to("cuda" if torch.cuda.is_available() else "cpu")
    described = dataset.read(data)
    part = described.val if split == "val" else described.train
    if part is None:
        raise BadDataset(f"{data} has no [val]", remedy="add one, or use --split train")
    if described.classes.names != card.classes:
        raise BadDataset(
            f"{data} has other classes than {model}: {', '.join(card.classes)}",
            remedy="give the dataset.toml that the model was trained on with --data",
        )
    with progress("images") as bar:
        task = bar.add_task("evaluating", total=len(part.images))
        evaluation = evaluate(
            built,
            part,
            described.classes,
            card.size,
            lambda done: bar.update(task, completed=done),
        )
    for name, reason in evaluation.skipped:
        say(f"skipped {name}: {reason}", style="yellow")
    _print(evaluation, card.classes, as_json)


def _print(evaluation: "Evaluation", classes: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        known = {
            n: None if math.isnan(v) else v for n, v in zip(classes, evaluation.iou, strict=True)
        }
        table = {"miou": evaluation.miou, "iou": known, "accuracy": evaluation.accuracy}
        click.echo(json.dumps(table | {"images": evaluation.images}))
        return
    width = max(map(len, (*classes, "pixel accuracy")))
    for name, iou in zip(classes, evaluation.iou, strict=True):
        click.echo(f"{name:<{width}}  " + ("absent" if math.isnan(iou) else f"{iou:.4f}"))
    click.echo(f"{'mIoU':<{width}}  {evaluation.miou:.4f}")
    click.echo(f"{'pixel accuracy':<{width}}  {evaluation.accuracy:.4f}")


def _needs_torch() -> None:
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
