"""Sparse labels for training: read from files, drawn from masks, and placed on the network's
grid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scorer import labels as label_files
from scorer.errors import BadDataset, BadImage, BadLabels
from scorer.images.geometry import Geometry
from scorer.images.photograph import load, size
from scorer.labels import Click, Labels
from scorer.labels.conflict import REFUSE
from scorer.labels.store import SUFFIX
from scorer.pools import check_name
from scorer.selection.noise import uniform
from trainer import masks
from trainer.classes import Classes
from trainer.dataset import Dataset
from trainer.sample import Masked, Sample
from trainer.split import Split

Points = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


def read(
    path: Path, dataset: Dataset, *, audits: bool = False, on_conflict: str = REFUSE
) -> Labels:
    """Read labels for the images of the training split; arguments as in label_files.read.

    Raises BadLabels for labels of other images.
    """
    names = dataset.classes.names
    labels = label_files.read(path, names, audits=audits, on_conflict=on_conflict)
    return of_split(labels, path, dataset.train, "train")


def of_split(labels: Labels, path: Path, split: Split, name: str) -> Labels:
    """The labels unchanged. Raises BadLabels if one is of an image outside the split called
    `name`.
    """
    names = set(split.images.names)
    if strangers := [image for image in labels.clicks if image not in names]:
        where = split.images.where
        raise BadLabels(
            f"{path}: {len(strangers)} of its images are not in {where}, such as {strangers[0]!r}",
            remedy=f"image names are paths below the images folder of [{name}]"
            + _how_to_retract(path),
        )
    return labels


def _how_to_retract(path: Path) -> str:
    if path.suffix.lower() != SUFFIX:
        return ""
    return (
        "; take the answers about other images back with: scorer labels retract --labels "
        f"{path} --not-in-pool FOLDER"
    )


def draw(
    split: Split, classes: Classes, *, pixels: int, seed: int
) -> tuple[Labels, list[tuple[str, str]]]:
    """Draw n random labelled pixels of every mask, the start of active learning (Algorithm 1, line
    1).

    What is drawn for an image depends on the seed and its name alone. Images whose mask cannot be
    read are returned beside the labels, with the reason. Raises BadDataset if no pixel is labelled.
    """
    clicks, skipped = {}, []
    for name in split.images.names:
        try:
            clicks[name] = draw_one(split, classes, name, pixels, seed)
        except BadImage as error:
            skipped.append((name, str(error)))
    if not any(clicks.values()):
        reason = f", such as {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise BadDataset(
            f"no mask in {split.masks} has a labelled pixel{reason}",
            remedy="masks have the names of their images, with .png; ignore in [classes] is right?",
        )
    return Labels(clicks), skipped


def few(labels: Labels, budget: int, seed: int) -> Labels:
    """A random subset of `budget` labels."""
    flat = [(name, click) for name in sorted(labels.clicks) for click in labels.of(name)]
    order = np.argsort(uniform(seed, "budget", (len(flat),)), kind="stable")[:budget]
    clicks: dict[str, list[Click]] = {}
    for index in sorted(order):
        name, click = flat[index]
        clicks.setdefault(name, []).append(click)
    return replace(labels, clicks=clicks)


def draw_one(split: Split, classes: Classes, name: str, pixels: int, seed: int) -> list[Click]:
    """Draw up to `pixels` random labelled pixels of the mask of an image. Raises BadImage."""
    check_name(name)
    mask = masks.of(split, classes, name, size(split.images.image(name)))
    rows, cols = np.nonzero(mask != masks.IGNORE)
    order = np.argsort(uniform(seed, f"pixels of {name}", rows.shape), kind="stable")[:pixels]
    return [Click(int(rows[i]), int(cols[i]), int(mask[rows[i], cols[i]])) for i in sorted(order)]


def dense(
    split: Split, classes: Classes, grid: tuple[int, int]
) -> Iterable[Masked | tuple[str, str]]:
    """Yield every image with its whole mask, or (name, reason) for an unusable one.

    grid: (height, width) that both are scaled to.
    """
    for name in split.images.names:
        try:
            check_name(name)
            photograph = load(split.images.image(name), grid)
            geometry = photograph.geometry
            mask = masks.of(split, classes, name, geometry.image)
        except BadImage as error:
            yield name, str(error)
        else:
            small = np.full(grid, masks.IGNORE, np.uint8)
            height, width = geometry.content
            small[:height, :width] = mask[geometry.originals()]
            yield Masked(name, photograph.pixels, small)


def with_class(clicks: Sequence[Click]) -> list[Click]:
    """The clicks that have a class."""
    return [click for click in clicks if click.label is not None]


def gather(
    split: Split, labels: Labels, grid: tuple[int, int]
) -> Iterable[Sample | tuple[str, str]]:
    """Yield every image that has labels, decoded, or (name, reason) for an unusable one.

    grid: (height, width) that images and labels are scaled to.
    """
    for name in split.images.names:
        clicks = with_class(labels.of(name))
        if not clicks:
            continue
        try:
            photograph = load(split.images.image(name), grid)
            labels.check_size(name, photograph.geometry.image)
            yield Sample(name, photograph.pixels, *on_grid(name, clicks, photograph.geometry))
        except BadImage as error:
            yield name, str(error)


def on_grid(name: str, clicks: Sequence[Click], geometry: Geometry) -> tuple[Points, Indices]:
    """The centres of an image's labelled pixels on the grid, float32 [N, 2], and their classes,
    int64 [N]. Raises BadLabels for a pixel outside the image.
    """
    for click in clicks:
        if not geometry.contains(click.row, click.col):
            height, width = geometry.image
            raise BadLabels(
                f"label at row {click.row}, col {click.col} of {name}, which is {height}x{width}",
                remedy="coordinates count from 0 in the original, upright image",
            )
    points = [geometry.centre(click.row, click.col) for click in clicks]
    return np.array(points, np.float32), np.array([click.label for click in clicks], np.int64)
