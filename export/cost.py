"""Measures what int8 costs: compares the masks of a quantised network with those of the
original.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from scorer.errors import BadImage
from scorer.images.encoded import Encoded
from scorer.images.photograph import load
from scorer.plain import PROBABILITIES
from scorer.pools import Pool
from scorer.segmentation.network import PlainNetwork
from scorer.segmentation.segmenter import segment
from trainer import masks
from trainer.dataset import Dataset
from trainer.mask_evaluation import Confusion
from trainer.masks import IGNORE, Mask
from trainer.split import Split

MOST = 100  # images


@dataclass(frozen=True)
class Cost:
    """Accuracy of a quantised network on `images` images. kept: share of the pixels that keep their
    class. before, after: mIoU on the masks of [val]; NaN without masks.
    """

    images: int
    kept: float
    before: float
    after: float

    def __str__(self) -> str:
        text = f"{self.kept:.1%} of the pixels of {self.images} images keep their class"
        if np.isnan(self.before):
            return (
                f"{text}; for the mIoU that it costs, give --data a dataset of these classes with "
                "masks in [val]"
            )
        return (
            f"{self.before - self.after:.4f} of mIoU lost on [val], {self.after:.4f} in place of "
            f"{self.before:.4f}; {text}"
        )


def measure(
    before: PlainNetwork,
    after: PlainNetwork,
    pool: Pool,
    dataset: Dataset | None,
    on_image: Callable[[int], None] = lambda _: None,
) -> Cost:
    """Compare two networks on the first MOST images of [val] if it has masks of the same classes,
    else on the first MOST images of the pool.

    before, after: the original and the quantised network. on_image: called with the number of
    images done. Unreadable images are skipped.
    """
    classes = len(before.contract.classes)
    confusions = Confusion(classes), Confusion(classes)
    images, kept, pixels = 0, 0, 0
    for source, truth in _images(pool, dataset, before.contract.classes):
        try:
            one, other = (_label(network, source) for network in (before, after))
            known = truth(one.shape)
        except BadImage:
            continue
        for confusion, label in zip(confusions, (one, other), strict=True):
            confusion.count(label, known)
        images, kept, pixels = images + 1, kept + int((one == other).sum()), pixels + one.size
        on_image(images)
    is_known = any(confusion.matrix.any() for confusion in confusions)
    miou = [one.evaluation().miou if is_known else np.nan for one in confusions]
    return Cost(images, kept / pixels if pixels else np.nan, *miou)


_Truth = Callable[[tuple[int, int]], Mask]


def _images(
    pool: Pool, dataset: Dataset | None, classes: tuple[str, ...]
) -> Iterator[tuple[Encoded, _Truth]]:
    """Yield images, each with a function from a size (height, width) to its mask; IGNORE:
    unknown.
    """
    split = None if dataset is None else dataset.val
    if dataset is None or split is None or split.masks is None or dataset.classes.names != classes:
        for entry in islice(pool.entries(), MOST):
            try:
                yield pool.read(entry), lambda size: np.full(size, IGNORE, np.uint8)
            except BadImage:
                continue
        return
    for name in split.images.names[:MOST]:
        try:
            source = split.images.image(name)
        except BadImage:
            continue
        yield source, _truth(split, dataset, name)


def _truth(split: Split, dataset: Dataset, name: str) -> _Truth:
    return lambda size: masks.of(split, dataset.classes, name, size)


def _label(network: PlainNetwork, source: Encoded) -> Mask:
    """The class of every pixel at the image's own size; a class map is enlarged by nearest
    neighbour.
    """
    if network.contract.output == PROBABILITIES:
        return segment(network, source).label
    photograph = load(source, network.contract.grid)
    there, wanted = photograph.geometry.content, photograph.geometry.image
    rows, cols = (
        ((np.arange(side) + 0.5) * (small / side)).astype(np.intp)
        for small, side in zip(there, wanted, strict=True)
    )
    found: Mask = network.run(photograph.pixels)[rows][:, cols]
    return found
