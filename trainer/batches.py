"""The batches of one epoch: every sample once, with order and views fixed by seed and epoch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from scorer.console import cores
from scorer.selection.prefetch import prefetch
from trainer.augment import augment
from trainer.masks import IGNORE
from trainer.recipe import Recipe
from trainer.sample import Masked, Sample

# Pixels uint8 [B, H, W, 3], points float32 [B, N, 2], labels int64 [B, N], padded with IGNORE.
Batch = tuple[Tensor, Tensor, Tensor]


class Batches:
    """Iterates over the batches of an epoch, for the device `rank` of several.

    Threads augment ahead of the network, because Pillow releases the interpreter's lock. A view
    depends on its place in the epoch alone, never on the threads.
    """

    def __init__(
        self, samples: Sequence[Sample | Masked], recipe: Recipe, epoch: int, rank: int
    ) -> None:
        self._samples, self._recipe, self._epoch = samples, recipe, epoch
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(samples))
        # The last batch is filled from the front: BatchNorm needs whole batches, and no sample is
        # dropped.
        self._order = np.resize(order, -(-len(order) // recipe.batch) * recipe.batch)
        self._places = range(rank, len(self._order), recipe.devices)
        self._size = recipe.batch // recipe.devices

    def __len__(self) -> int:
        return len(self._places) // self._size

    def __iter__(self) -> Iterator[Batch]:
        count = _threads()
        starts = range(0, len(self._places), self._size)
        with ThreadPoolExecutor(count) as threads:
            yield from prefetch(threads, self._batch, starts, count + 1)

    def _batch(self, start: int) -> Batch:
        places = self._places[start : start + self._size]
        return _stacked([self._view(place) for place in places])

    def _view(self, place: int) -> Sample:
        rng = np.random.default_rng((self._recipe.seed, self._epoch, 1, place))
        sample = self._samples[self._order[place]]
        if self._recipe.augment_labels == "mask" and isinstance(sample, Sample):
            sample = sample.masked()
        return augment(sample, rng, jitter=self._recipe.jitter)


def _threads() -> int:
    """Number of augmenting threads: all cores next to a GPU, else one, as the network needs the
    cores.
    """
    return cores() if torch.cuda.is_available() else 1


def _stacked(samples: Sequence[Sample]) -> Batch:
    most = max(1, *(len(sample.labels) for sample in samples))
    points = np.zeros((len(samples), most, 2), np.float32)
    labels = np.full((len(samples), most), IGNORE, np.int64)
    for index, sample in enumerate(samples):
        points[index, : len(sample.points)] = sample.points
        labels[index, : len(sample.labels)] = sample.labels
    pixels = np.stack([sample.pixels for sample in samples])
    return torch.from_numpy(pixels), torch.from_numpy(points), torch.from_numpy(labels)
