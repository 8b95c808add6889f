"""Trains a network, as a whole or as a head on a frozen backbone, and measures it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scorer.errors import BadDataset, BadLabels
from scorer.labels import Labels
from trainer import clicks, lesson, state
from trainer.dataset import Dataset
from trainer.evaluation import Evaluation, evaluate
from trainer.hypercolumns import fit as head
from trainer.hypercolumns.album import Album
from trainer.hypercolumns.cache import Cache
from trainer.hypercolumns.pixels import gather
from trainer.loop import Progress, fit, precision
from trainer.network import BayesianNetwork
from trainer.pytorch import device
from trainer.recipe import LEAST_STEPS, HeadRecipe, Recipe
from trainer.sample import Masked, Sample, Samples
from trainer.threads import idle, threads

if TYPE_CHECKING:
    from trainer.listener import Listener

_TOLD = 50  # number of progress reports while a head is trained


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What a network was trained on and how, and its evaluation on the validation split."""

    images: int
    labels: int
    recipe: Recipe | HeadRecipe
    evaluation: Evaluation | None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state file of a training run, and the identity of the run that may continue from it.

    measurements: as in FitOptions.
    """

    resume: Path
    identity: str
    measurements: int


def teach_head(
    network: BayesianNetwork,
    dataset: Dataset,
    labels: Labels,
    recipe: HeadRecipe,
    cache: Cache | None,
    listener: "Listener",
) -> Taught:
    """Train the head on the backbone's features at the labelled pixels, and measure the network."""
    network.to(device())
    album = Album(network, dataset.size, cache)
    named = sum(bool(clicks.with_class(labels.of(name))) for name in dataset.train.images.names)
    pixels = gather(
        album, dataset.train, labels, lambda done: listener.show("looking", done, named)
    )
    known = pixels.images - len(album.looked)
    listener.tell(
        f"computed the features of {len(album.looked)} photographs"
        + f", {known} were kept from before" * (known > 0)
    )
    lesson.tell_skipped(pixels.skipped, listener)
    lesson.tell_absent(dataset, set(np.unique(pixels.classes).tolist()), listener)
    last = 0.0

    def on_step(step: int, loss: float) -> None:
        nonlocal last
        last = loss
        if step % max(1, recipe.steps // _TOLD) == 0 or step == recipe.steps:
            listener.show(f"learning, loss {loss:.3f}", step, recipe.steps)

    with threads(1):  # the matrices are small: further threads would only wait
        head.fit(network, pixels, recipe, on_step)
    listener.tell(f"{recipe.steps} steps of {recipe.batch} labelled pixels, last loss {last:.4f}")
    if cache is not None and cache.full:
        listener.tell(f"{cache.path} cannot grow: the disk is full", warning=True)
    return Taught(
        images=pixels.images,
        labels=pixels.labels,
        recipe=recipe,
        evaluation=measure(network, dataset, album, listener),
    )


def measure(
    network: BayesianNetwork, dataset: Dataset, album: Album | None, listener: "Listener"
) -> Evaluation | None:
    """Measure on the validation split; None without one."""
    if dataset.val is None:
        return None
    total = len(dataset.val.images)
    return evaluate(
        network, dataset.val, dataset.classes, dataset.size,
        lambda done: listener.show("measuring", done, total), album,
    )  # fmt: skip


def teach_whole(
    network: BayesianNetwork,
    dataset: Dataset,
    samples: Samples,
    recipe: Recipe,
    checkpoint: Checkpoint,
    listener: "Listener",
    *,
    warn: bool = True,
) -> Taught:
    """Train the whole network on augmented images, and measure it `checkpoint.measurements` times.

    warn: whether to warn of too few steps.
    """
    images = len(samples.samples)
    recipe = recipe.for_images(images)
    epochs, steps = recipe.epochs, recipe.epochs * recipe.epoch_steps(images)
    if steps < LEAST_STEPS and warn:
        listener.tell(
            f"{steps} steps in all ({epochs} epochs of {images} images) are few: below "
            f"{LEAST_STEPS} a whole network has rarely converged, and asks for pixels that lie "
            f"side by side; --steps {LEAST_STEPS} trains for longer",
            warning=True,
        )
    measured: Evaluation | None = None

    def on_epoch(progress: Progress) -> None:
        nonlocal measured
        measured = None
        if is_time(progress.epoch, epochs, checkpoint.measurements):
            measured = measure(network, dataset, None, listener)
        listener.epoch(progress, None if measured is None else measured.miou)

    listener.tell(f"precision {precision(recipe.precision)}")
    with threads(state.threads_of(checkpoint.resume) or idle()):
        fit(
            network,
            samples.samples,
            recipe,
            size=dataset.size,
            resume=checkpoint.resume,
            identity=checkpoint.identity,
            on_start=lambda done: listener.start(epochs, done),
            on_step=listener.step,
            on_epoch=on_epoch,
        )
        if measured is None:
            network.to(device())
            measured = measure(network, dataset, None, listener)
    return Taught(images=images, labels=samples.points, recipe=recipe, evaluation=measured)


def samples_of(dataset: Dataset, labels: Labels | None, listener: "Listener") -> Samples:
    """All labelled images, decoded; without labels all images with whole masks.

    Raises BadDataset without masks, BadLabels if no label can be used.
    """
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
    lesson.tell_skipped(samples.skipped, listener)
    if not samples.samples:
        raise BadLabels(
            "no image has a usable label",
            remedy="labels are class names or indices; masks hold classes of dataset.toml",
        )
    lesson.tell_absent(dataset, set().union(*(one.present for one in samples.samples)), listener)
    return samples


def is_time(epoch: int, epochs: int, times: int) -> bool:
    """Whether to measure after this epoch: `times` times per run, the last at its end; 0: never."""
    return times > 0 and ((epoch + 1) % max(1, epochs // times) == 0 or epoch + 1 == epochs)
