"""Measures masks in a folder, such as those of scorer segment, against the ground truth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scorer.errors import BadDataset, BadImage
from trainer import masks
from trainer.classes import Classes
from trainer.evaluation import Evaluation, summary
from trainer.masks import IGNORE
from trainer.split import Split


def evaluate_masks(
    folder: Path,
    split: Split,
    classes: Classes,
    on_image: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Intersection over union per class, over all pixels of the split with known truth.

    folder: masks of class indices, named like those of the split. A pixel of value IGNORE has no
    class, and counts as wrong. A mask that is missing or has another size is skipped. Raises
    BadDataset.
    """
    if split.masks is None:
        raise BadDataset("the split has no masks to compare with", remedy="add masks to it")
    confusion, skipped = Confusion(len(classes)), list[tuple[str, str]]()
    for done, name in enumerate(split.images.names, start=1):
        try:
            confusion.count(*_pair(folder, split, classes, name))
        except BadImage as error:
            skipped.append((name, str(error)))
        on_image(done)
    if not confusion.matrix.sum():
        reason = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise BadDataset(
            f"no mask in {folder} could be compared{reason}",
            remedy="masks are named as those of the split: the image's name with .png",
        )
    return confusion.evaluation(skipped)


def strangers(folder: Path, split: Split) -> int:
    """Number of masks in a folder that belong to no image of a split; if there are any, the folder
    may be of another pool with equal image names.
    """
    own = {split.mask_name(name) for name in split.images.names}
    there = (path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    return sum(name not in own for name in there)


class Confusion:
    """Pixel counts by true and predicted class, [C, C + 1]; last column: without a predicted
    class.
    """

    def __init__(self, classes: int) -> None:
        self.images, self.matrix = 0, np.zeros((classes, classes + 1), np.int64)

    def count(self, found: masks.Mask, truth: masks.Mask) -> None:
        """Add an image. found, truth: class indices of the same size, IGNORE where unknown."""
        classes, known = len(self.matrix), truth != IGNORE
        predicted = np.minimum(found[known], classes).astype(np.int64)
        flat = truth[known].astype(np.int64) * (classes + 1) + predicted
        counted = np.bincount(flat, minlength=self.matrix.size)
        self.matrix += counted.reshape(self.matrix.shape)
        self.images += 1

    def evaluation(self, skipped: list[tuple[str, str]] | None = None) -> Evaluation:
        """The metrics of all counted images."""
        return summary(torch.from_numpy(self.matrix), self.images, skipped or [])


def _pair(folder: Path, split: Split, classes: Classes, name: str) -> tuple[masks.Mask, masks.Mask]:
    """The mask in the folder and the true mask of an image. Raises BadImage, BadDataset."""
    path = split.mask(name)
    assert path is not None
    truth = masks.read(path, classes, split.ids)
    found = masks.pixels(folder / split.mask_name(name))
    if found.shape != truth.shape:
        raise BadImage("mask of another size", f"{found.shape}, the truth {truth.shape}")
    count = len(classes)
    strange = (found >= count) & (found != IGNORE)
    if strange.any():
        raise BadDataset(
            f"{folder / split.mask_name(name)} holds the value {found[strange][0]}, but there are "
            f"{count} classes",
            remedy="give the dataset.toml of the classes that these masks are of",
        )
    return found.astype(np.uint8), truth
