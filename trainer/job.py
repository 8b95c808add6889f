"""A model from start to file: labels, weights, training, measuring, saving."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from scorer import __version__
from scorer import labels as label_files
from scorer.errors import BadDataset, BadInput, BadLabels
from scorer.files import check_writable
from scorer.labels import Labels
from trainer import clicks, model, networks, weights
from trainer.dataset import Dataset
from trainer.evaluate import Evaluation, evaluate
from trainer.fit import Progress, fit, precision
from trainer.model import Card
from trainer.network import BayesianNetwork
from trainer.pytorch import device
from trainer.recipe import Recipe
from trainer.sample import Masked, Sample, Samples


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to train, on which labels. `pixels` are drawn per mask if there is no labels file.

    dense: on whole masks instead. measurements: how often in a run, its end always, the validation
    split is evaluated; 0: behind its end, where a run that was cut is as one that was not.
    statistics: of the pixels, where the backbone's own don't hold.
    """

    network: str = networks.NAMES[0]
    weights: str = "auto"
    labels: Path | None = None
    pixels: int = 5
    dense: bool = False
    statistics: networks.Statistics | None = None
    dropout: float = 0.2
    dropout_kind: str = "channel"
    recipe: Recipe = field(default_factory=Recipe)
    resume: bool = True
    measurements: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.dropout < 1:
            raise BadInput(f"dropout is {self.dropout}, expected a number between 0 and 1")


@runtime_checkable
class Listener(Protocol):
    """Who hears of the training as it goes on."""

    def tell(self, message: str, *, warning: bool = False) -> None: ...
    def start(self, epochs: int, done: int) -> None: ...
    def step(self, progress: Progress) -> None: ...
    def epoch(self, progress: Progress, miou: float | None) -> None: ...


def train(dataset: Dataset, out: Path, options: Options, listener: Listener) -> Evaluation | None:
    """Train a model and save it to `out`; labels drawn from masks are kept in `labels_path(out)`.

    Interrupted at any moment, the same call goes on from the last whole epoch (unless
    options.resume is false). Returns the evaluation on the validation split, if there is one.
    """
    check_writable(out)
    torch.manual_seed(options.recipe.seed)
    labels = None if options.dense else _labels(dataset, out, options, listener)
    samples = _samples(dataset, labels, listener)
    network = networks.build(
        options.network,
        len(dataset.classes),
        rate=options.dropout,
        kind=options.dropout_kind,
        statistics=options.statistics,
    )
    origin = weights.load_network(network, options.weights)
    _tell_origin(origin, options, listener)
    resume = out.with_name(f"{out.name}.partial")
    if not options.resume:
        resume.unlink(missing_ok=True)
    identity = _identity(dataset, labels, origin, options)
    evaluation = _fit(network, dataset, samples, options, listener, resume, identity)
    model.save(out, network, _card(dataset, samples, origin, options, evaluation))
    resume.unlink(missing_ok=True)
    return evaluation


def _fit(
    network: BayesianNetwork,
    dataset: Dataset,
    samples: Samples,
    options: Options,
    listener: Listener,
    resume: Path,
    identity: str,
) -> Evaluation | None:
    """Train, and measure on the way; the last measurement, if there is a split for it."""
    epochs = options.recipe.epochs
    measured: Evaluation | None = None

    def on_epoch(progress: Progress) -> None:
        nonlocal measured
        measured = None
        if dataset.val is not None and _is_time(progress.epoch, epochs, options.measurements):
            measured = evaluate(network, dataset.val, dataset.classes, dataset.size)
        listener.epoch(progress, None if measured is None else measured.miou)

    listener.tell(f"precision {precision(options.recipe.precision)}")
    fit(
        network,
        samples.samples,
        options.recipe,
        size=dataset.size,
        resume=resume,
        identity=identity,
        on_start=lambda done: listener.start(epochs, done),
        on_step=listener.step,
        on_epoch=on_epoch,
    )
    if measured is None and dataset.val is not None:
        network.to(device())
        measured = evaluate(network, dataset.val, dataset.classes, dataset.size)
    return measured


def labels_path(out: Path) -> Path:
    """Where labels drawn from masks are kept: model.safetensors → model.labels.csv."""
    return out.with_name(f"{out.stem}.labels.csv")


def _labels(dataset: Dataset, out: Path, options: Options, listener: Listener) -> Labels:
    path = options.labels or dataset.train.labels
    if path is not None:
        labels = clicks.read(path, dataset)
        listener.tell(f"{labels.labelled} labels of {len(labels.clicks)} images from {path}")
        if unsaid := len(labels) - labels.labelled:
            listener.tell(f"{unsaid} more pixels were asked and have no class: they teach nothing")
        return labels
    if dataset.train.masks is None:
        raise BadDataset(
            "there is nothing to learn from: [train] has neither masks nor labels",
            remedy="give --labels FILE, a CSV image,row,col,label, or add masks to [train]",
        )
    labels, skipped = clicks.draw(
        dataset.train, dataset.classes, pixels=options.pixels, seed=options.recipe.seed
    )
    _tell_skipped(skipped, listener)
    kept = labels_path(out)
    _check_kept(kept, labels, dataset)
    label_files.write(kept, labels, dataset.classes.names)
    listener.tell(
        f"{len(labels)} labels drawn at random from {len(labels.clicks)} masks, "
        f"{options.pixels} pixels each, seed {options.recipe.seed}; kept in {kept}"
    )
    return labels


def _check_kept(path: Path, drawn: Labels, dataset: Dataset) -> None:
    """Refuse to replace drawn labels to which somebody has added clicks."""
    if not path.is_file():
        return
    with suppress(BadLabels):  # of another dataset: not this one's clicks
        there = label_files.read(path, dataset.classes.names)
        grown = [n for n in there.clicks if drawn.of(n) and set(drawn.of(n)) < set(there.of(n))]
        if grown:
            raise BadInput(
                f"{path} holds clicks that were added to the drawn ones, such as in {grown[0]}",
                remedy=f"train on it with --labels {path}, or remove it",
            )


def _samples(dataset: Dataset, labels: Labels | None, listener: Listener) -> Samples:
    """Of the labels; without any of the whole masks."""
    gathered: Iterable[Sample | Masked | tuple[str, str]]
    if labels is not None:
        gathered = clicks.gather(dataset.train, labels, dataset.size)
    elif dataset.train.masks is not None:
        gathered = clicks.dense(dataset.train, dataset.classes, dataset.size)
    else:
        raise BadDataset("[train] has no masks", remedy="supervised training needs whole masks")
    samples = Samples()
    for found in gathered:
        if isinstance(found, Sample | Masked):
            samples.samples.append(found)
        else:
            samples.skipped.append(found)
    _tell_skipped(samples.skipped, listener)
    if not samples.samples:
        raise BadLabels(
            "no image has a usable label",
            remedy="labels are class names or indices; masks hold classes of dataset.toml",
        )
    seen = set().union(*(sample.present for sample in samples.samples))
    if absent := [n for i, n in enumerate(dataset.classes.names) if i not in seen]:
        listener.tell(f"no label yet of: {', '.join(absent)}", warning=True)
    return samples


def _tell_skipped(skipped: Sequence[tuple[str, str]], listener: Listener) -> None:
    if skipped:
        listener.tell(f"{len(skipped)} images skipped:", warning=True)
    for name, reason in skipped:
        listener.tell(f"  {name}: {reason}", warning=True)


def _tell_origin(origin: str, options: Options, listener: Listener) -> None:
    if origin != "random":
        listener.tell(f"{options.network}, weights: {origin}")
        return
    listener.tell(
        f"{options.network} starts from RANDOM weights: expect much worse results. "
        "Pre-trained ones: --weights FILE, or a network whose weights are installed",
        warning=True,
    )


def _is_time(epoch: int, epochs: int, times: int) -> bool:
    """Whether to measure after this epoch: so many times in a run, and at its end; or never."""
    return times > 0 and ((epoch + 1) % max(1, epochs // times) == 0 or epoch + 1 == epochs)


def _identity(dataset: Dataset, labels: Labels | None, origin: str, options: Options) -> str:
    """Hash of all that the weights depend on, beside the recipe: another run never goes on."""
    flat = "whole masks"
    if labels is not None:
        flat = repr(sorted((name, list(found)) for name, found in labels.clicks.items()))
    parts = (
        flat,
        options.statistics,
        origin,
        options.network,
        options.dropout,
        options.dropout_kind,
        dataset.classes,
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _card(
    dataset: Dataset,
    samples: Samples,
    origin: str,
    options: Options,
    evaluation: Evaluation | None,
) -> Card:
    return Card(
        network=options.network,
        dropout=options.dropout,
        dropout_kind=options.dropout_kind,
        classes=dataset.classes.names,
        colours=dataset.classes.colours,
        height=dataset.size[0],
        width=dataset.size[1],
        pretrained=origin,
        training={
            **asdict(options.recipe),
            "images": len(samples.samples),
            "labels": samples.points,
            "miou": None if evaluation is None else evaluation.miou,
            "versions": {"balentacq": __version__, "torch": torch.__version__},
        },
    )
