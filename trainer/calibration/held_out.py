"""Labelled pixels that a model has not learned from, and its class scores there."""

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

# Of a mask, whose pixels say much the same; and class scores of all masks together, 40 MB of them.
_OF_A_MASK, _OF_ALL = 250, 5_000_000
_AUDITS = (
    "expected a labels.db with answers to audit questions (trainer live asks some); without "
    "--labels, the pixels come from [val] of dataset.toml"
)


@dataclass(frozen=True)
class Source:
    """A split, pixels of it, and the photographs that none could be taken of, with the reason."""

    split: Split
    labels: Labels
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Class scores, true classes, and which photograph each pixel is of, from 0 on."""

    logits: Float[Tensor, "N C"]
    classes: Int64[Tensor, " N"]
    image: Int64[Tensor, " N"]
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def images(self) -> int:
        return int(self.image.max()) + 1


def source(dataset: Dataset, labels: Path | None, card: Card) -> Source:
    """The audit answers of a label store; or without one the clicks of the validation split, or
    random pixels of its masks. Raises BadLabels, BadDataset.
    """
    return of_validation(dataset) if labels is None else of_audits(dataset, labels, card)


def of_audits(dataset: Dataset, path: Path, card: Card) -> Source:
    """Random pixels of the photographs that a model has learned other pixels of."""
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
    """Clicks of the validation split where it has some, or as many pixels of each of its masks."""
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
    """What tells its photographs from others: their files, or what else their pool has."""
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
    """What the network says of these pixels without dropout, as its plain graph does.

    on_image hears how many photographs are done, of how many. Raises BadLabels where no pixel can
    be used.
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
    """Class scores and true classes of the pixels of a photograph."""
    try:
        seen, geometry = features.of(split.images.image(name))
    except BadImage as error:
        return error
    points, classes = clicks.on_grid(name, clicks.with_class(labels.of(name)), geometry)
    places = torch.from_numpy(points)[None].to(features.device)
    logits = at_points(network.classifier(seen).float(), places, geometry.grid)[0]
    return logits.cpu().double(), torch.from_numpy(np.asarray(classes))
