"""The training job: labels, pre-trained weights, training, evaluation, and the model file."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from scorer import __version__
from scorer.files import check_writable
from scorer.instance_lock import instance_lock
from scorer.labels import Labels
from trainer import lesson, model, networks, teach, weights
from trainer.dataset import Dataset
from trainer.evaluation import Evaluation
from trainer.fit_options import FitOptions
from trainer.hypercolumns.cache import Cache
from trainer.listener import Listener
from trainer.model import Card
from trainer.network import BayesianNetwork
from trainer.networks.dinov2 import read_config
from trainer.recipe import Recipe
from trainer.teach import Checkpoint, Taught


def train(
    dataset: Dataset, out: Path, options: FitOptions, listener: Listener, cache: Cache | None = None
) -> Evaluation | None:
    """Train a model and save it to `out`; labels drawn from masks are kept in `labels_path(out)`.

    cache: of backbone features; None: a file of its own, `features_path(out)`. After an
    interruption, the same call continues from the last whole epoch, unless options.resume is false.
    Returns the evaluation on the validation split; None without one. Raises BadDataset, BadLabels,
    BadModel, BadInput, CannotWrite.
    """
    check_writable(out)
    lock = instance_lock(out, "trainer fit", "wait until it has ended, or choose another --out")
    is_divided = isinstance(options.recipe, Recipe) and options.recipe.devices > 1
    # The first of several processes that train together holds it for all of them.
    with nullcontext() if is_divided and not _is_first() else lock:
        return _trained(dataset, out, options, listener, cache)


def _is_first() -> bool:
    """Whether this process is the first of those that train together, by the variables that
    Lightning Fabric sets and reads.
    """
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


def _trained(
    dataset: Dataset, out: Path, options: FitOptions, listener: Listener, cache: Cache | None
) -> Evaluation | None:
    torch.manual_seed(options.recipe.seed)
    config = _config(options)
    labels = None if options.dense else lesson.labels(dataset, out, options, listener)
    network = networks.build(
        options.network,
        len(dataset.classes),
        rate=options.dropout,
        kind=options.dropout_kind,
        statistics=options.statistics,
        config=config,
    )
    origin = weights.load_network(network, options.weights)
    _tell_origin(origin, options, listener)
    checkpoint = Checkpoint(
        resume=out.with_name(f"{out.name}.partial"),
        identity=_identity(dataset, labels, origin, options),
        measurements=options.measurements,
    )
    if not options.resume:
        checkpoint.resume.unlink(missing_ok=True)
    with _cache(out, options, cache) as kept:
        taught = _taught(network, dataset, labels, options, checkpoint, listener, kept)
    model.save(out, network, _card(dataset, taught, origin, options, config))
    checkpoint.resume.unlink(missing_ok=True)
    return taught.evaluation


def features_path(out: Path) -> Path:
    """The path of the feature cache: model.safetensors → model.features.db."""
    return out.with_name(f"{out.stem}.features.db")


def _config(options: FitOptions) -> dict[str, Any]:
    """The configuration of the backbone, if the network's name does not imply it."""
    return read_config(Path(options.weights)) if options.network == networks.VIT else {}


@contextmanager
def _cache(out: Path, options: FitOptions, given: Cache | None) -> Iterator[Cache | None]:
    """The given cache, or one of this job that is closed afterwards; None where nothing is
    cached.
    """
    if given or not options.kept or options.dense or isinstance(options.recipe, Recipe):
        yield given
        return
    with closing(Cache(features_path(out), most_bytes=int(options.kept * 1e9))) as own:
        yield own


def _taught(
    network: BayesianNetwork,
    dataset: Dataset,
    labels: Labels | None,
    options: FitOptions,
    checkpoint: Checkpoint,
    listener: Listener,
    cache: Cache | None,
) -> Taught:
    recipe = options.recipe
    if isinstance(recipe, Recipe):
        samples = teach.samples_of(dataset, labels, listener)
        return teach.teach_whole(network, dataset, samples, recipe, checkpoint, listener)
    pixels = lesson.of_masks(dataset, recipe.seed, listener) if labels is None else labels
    taught = teach.teach_head(network, dataset, pixels, recipe, cache, listener)
    if options.finetune is None:
        return taught
    if taught.evaluation is not None:
        listener.tell(f"mIoU {taught.evaluation.miou:.4f} before the network is tuned as a whole")
    samples = teach.samples_of(dataset, labels, listener)
    network.requires_grad_(True)
    tuned = teach.teach_whole(
        network, dataset, samples, options.finetune, checkpoint, listener, warn=False
    )
    if taught.evaluation and tuned.evaluation and tuned.evaluation.miou < taught.evaluation.miou:
        listener.tell(
            "fine-tuning has not improved the model; train without --finetune", warning=True
        )
    return tuned


def _tell_origin(origin: str, options: FitOptions, listener: Listener) -> None:
    if origin != "random":
        listener.tell(f"{options.network}, weights: {origin}")
        return
    listener.tell(
        f"{options.network} starts from RANDOM weights: expect much worse results. "
        "Pre-trained ones: --weights FILE, or a network whose weights are installed",
        warning=True,
    )


def _identity(dataset: Dataset, labels: Labels | None, origin: str, options: FitOptions) -> str:
    """Hash of all that the weights depend on besides the recipe, so that no other run is
    continued.
    """
    flat = "whole masks"
    if labels is not None:
        flat = repr(sorted((name, list(found)) for name, found in labels.clicks.items()))
    parts = (
        flat,
        options.statistics,
        options.finetune and options.recipe,
        origin,
        options.network,
        options.dropout,
        options.dropout_kind,
        dataset.classes,
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _card(
    dataset: Dataset, taught: Taught, origin: str, options: FitOptions, config: dict[str, Any]
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
        backbone=config,
        training={
            **asdict(options.recipe if options.finetune else taught.recipe),
            "finetune": asdict(taught.recipe) if options.finetune else None,
            "images": taught.images,
            "labels": taught.labels,
            "audits": options.audits,
            "dense": options.dense,
            "miou": None if taught.evaluation is None else taught.evaluation.miou,
            "versions": {"balentacq": __version__, "torch": torch.__version__},
        },
    )
