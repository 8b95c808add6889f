"""Gathers labelled pixels that a model was not trained on, and the model's class scores there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from scorer import labels as label_files
from scorer.errors import BadDataset, BadImage, BadLabels
from scorer.labels import Labels, store
from scorer.pools.index import folder_of
from trainer import clicks
from trainer.dataset import Dataset
from trainer.features import Features
from trainer.model import Card
from trainer.network import BayesianNetwork, at_points
from trainer.split import Split

# Pixels per mask, as neighbouring pixels are alike; and class scores of all masks, 40 MB together.
_OF_A_MASK, _OF_ALL = 250, 5_000_000
_AUDITS = (
    "expected a labels.db with answers to audit questions (trainer live asks some); without "
    "--labels, the pixels come from [val] of dataset.toml"
)


@dataclass(frozen=True)
class Source:
    """A split with labels of its pixels. skipped: unusable photographs, with the reasons."""

    split: Split
    labels: Labels
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Class scores and true classes of held-out pixels. image: index of each pixel's photograph."""

    logits: Float[Tensor, "N C"]
    classes: Int64[Tensor, " N"]
    image: Int64[Tensor, " N"]
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def images(self) -> int:
        return int(self.image.max()) + 1


def source(dataset: Dataset, labels: Path | None, card: Card) -> Source:
    """The held-out pixels: audit answers of a label store; without one, clicks of the validation
    split or random pixels of its masks. Raises BadLabels, BadDataset.
    """
    return of_validation(dataset) if labels is None else of_audits(dataset, labels, card)


def of_audits(dataset: Dataset, path: Path, card: Card) -> Source:
    """The audit answers of a label store. Raises BadLabels if the model may have been trained on
    them.
    """
    if path.suffix.lower() != store.SUFFIX:
        raise BadLabels(
            f"{path} does not say which of its pixels no model has learned from", remedy=_AUDITS
        )
    learned = {"audits": "the audit answers", "dense": "whole masks, with all pixels of [train]"}
    for name, what in learned.items():
        if card.training.get(name):
            raise BadLabels(
                f"the model has learned from {what}: none of {path} is held out",
                remedy="calibrate a model that was trained without; or calibrate on [val], without "
                "--labels",
            )
    with store.reading(path, dataset.classes.names) as opened:
        found = opened.audit()
    if not found.clicks:
        raise BadLabels(f"{path} has no answer to an audit question", remedy=_AUDITS)
    return Source(dataset.train, clicks.of_split(found, path, dataset.train, "train"))


def of_validation(dataset: Dataset) -> Source:
    """Clicks of the validation split if it has a label file, else random pixels of its masks.

    Raises BadDataset without [val], or where it shares photographs with [train].
    """
    split = dataset.val
    if split is None:
        raise BadDataset(
            "there is nothing to calibrate on: the dataset has no [val]",
            remedy=f"add one; or give --labels: {_AUDITS}",
        )
    if _files(split) & _files(dataset.train):
        raise BadDataset(
            "[val] has the photographs of [train], which the model has learned from",
            remedy="calibration needs photographs of their own in [val]",
        )
    if split.labels is not None:
        found = label_files.read(split.labels, dataset.classes.names)
        return Source(split, clicks.of_split(found, split.labels, split, "val"))
    most = _OF_ALL // (len(dataset.classes) * max(1, len(split.images)))
    pixels = min(_OF_A_MASK, max(1, most))
    return Source(split, *clicks.draw(split, dataset.classes, pixels=pixels, seed=0))


def _files(split: Split) -> set[str]:
    """What identifies the photographs of a split: their paths, or the pool and their names."""
    root = folder_of(split.images)
    if root is not None:
        place = root.root.resolve()
        return {str(place / name) for name in split.images.names}
    return {f"{split.images.where}/{name}" for name in split.images.names}


def gather(
    network: BayesianNetwork,
    size: tuple[int, int],
    found: Source,
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> HeldOut:
    """Compute the class scores at these pixels without dropout, as in a plain graph.

    on_image: called with the number of photographs done and their total. Raises BadLabels where no
    pixel can be used.
    """
    network.eval()
    features = Features(network, size)
    split = found.split
    names = [name for name in split.images.names if clicks.with_class(found.labels.of(name))]
    look = partial(_look, network, features, split, found.labels)
    parts: list[tuple[Tensor, Tensor]] = []
    skipped = list(found.skipped)
    for done, seen in enumerate(features.each(look, names), start=1):
        if isinstance(seen, BadImage):
            skipped.append((names[done - 1], str(seen)))
        else:
            parts.append(seen)
        on_image(done, len(names))
    if not parts:
        reason = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise BadLabels(
            f"no labelled pixel of {split.images.where} can be used{reason}",
            remedy="labels are class names or indices; masks hold classes of dataset.toml",
        )
    counts = torch.tensor([len(classes) for _, classes in parts])
    logits, classes = (torch.cat(one) for one in zip(*parts, strict=True))
    image = torch.arange(len(parts)).repeat_interleave(counts)
    return HeldOut(logits, classes, image, skipped)


@torch.inference_mode()
def _look(
    network: BayesianNetwork, features: Features, split: Split, labels: Labels, name: str
) -> tuple[Tensor, Tensor] | BadImage:
    """Class scores and true classes at the labelled pixels of a photograph."""
    try:
        seen, geometry = features.of(split.images.image(name))
    except BadImage as error:
        return error
    points, classes = clicks.on_grid(name, clicks.with_class(labels.of(name)), geometry)
    places = torch.from_numpy(points)[None].to(features.device)
    logits = at_points(network.classifier(seen).float(), places, geometry.grid)[0]
    return logits.cpu().double(), torch.from_numpy(np.asarray(classes))
