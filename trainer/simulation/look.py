"""Applies a model to a pool: chooses the next pixels, and measures their uncertainty."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scorer import labels as label_files
from scorer.errors import BadImage
from scorer.images.photograph import Photograph
from scorer.labels import Labels
from scorer.pools import Index
from scorer.runtimes.base import Scores
from scorer.selection.budget import within
from scorer.selection.exclusion import Exclusion
from scorer.selection.result import Ranked
from scorer.selection.select import chosen, ready
from trainer import model
from trainer.features import Features
from trainer.graph.acquisition import aleatoric, bald, balent, posterior
from trainer.graph.moments import Moments
from trainer.hypercolumns.album import Album
from trainer.hypercolumns.cache import Cache
from trainer.networks.pixelhead import PixelHead
from trainer.pytorch import PyTorch

Asked = Mapping[str, Sequence[tuple[int, int]]]  # by image: (row, col) in the original image


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which pixels to choose: from a pool, with a model, except labelled and excluded ones.

    work: folder for temporary files. passes: m. budget: pixels in the pool, at most n per image.
    The other fields are as in scorer.selection.
    """

    model: Path
    network: str
    labels: Path
    exclude: Path
    work: Path
    pool: Index
    acquisition: str
    seed: int
    n: int
    budget: int | None
    distance: float | None
    passes: int
    stride: int | None


@dataclass(frozen=True)
class Uncertainty:
    """Means over the chosen pixels, nats: BALD, mean entropy of single passes, and the posterior
    entropy in balanced entropy. nonnegative: mean share of an image's pixels with BalEnt ≥ 0.
    """

    epistemic: float
    aleatoric: float
    posterior: float
    nonnegative: float


@dataclass(frozen=True)
class _Seen:
    """A photograph's chosen pixels with their three uncertainties [N, 3], and the share of all its
    pixels with BalEnt ≥ 0.
    """

    ranked: Ranked
    places: Sequence[tuple[int, int]]
    three: npt.NDArray[np.float32]
    nonnegative: float


def look(
    question: Question,
    cache: Cache | None,
    asked: Asked | None = None,
    on_image: Callable[[int], None] = lambda _: None,
) -> tuple[Asked, Uncertainty]:
    """Choose the next pixels, unless `asked` gives them, and measure their uncertainty.

    Unreadable photographs are left out. on_image: called with the number of photographs done.
    """
    eye = _Eye(question, cache, asked)
    seen = []
    for done, one in enumerate(eye.features.each(eye.see, question.pool.names), start=1):
        on_image(done)
        if one is not None:
            seen.append(one)
    if asked is None:
        asked = _within(question.budget, [one.ranked for one in seen])
    values = [
        three
        for one in seen
        for place, three in zip(one.places, one.three, strict=True)
        if place in asked.get(one.ranked.image, ())
    ]
    epistemic, alea, post = np.mean(values, axis=0).tolist() if values else [math.nan] * 3
    share = float(np.mean([one.nonnegative for one in seen])) if seen else math.nan
    return asked, Uncertainty(epistemic, alea, post, share)


class _Eye:
    """A model that is applied to photographs; thread-safe."""

    def __init__(self, question: Question, cache: Cache | None, asked: Asked | None) -> None:
        network, card = model.load(question.model, question.network)
        self._question, self._asked = question, asked
        self.runtime = PyTorch(
            network, card, acquisition=question.acquisition, passes=question.passes,
            top_k=question.n, stride=question.stride,
        )  # fmt: skip
        album = Album(network, card.size, cache) if isinstance(network.trunk, PixelHead) else None
        self.features = Features(network, card.size, album)
        labels = label_files.read(question.labels, card.classes)
        self._barred = Exclusion(labels, question.exclude)

    @torch.inference_mode()
    def see(self, name: str) -> _Seen | None:
        """Apply the model to a photograph; None if it cannot be used."""
        question, contract = self._question, self.runtime.contract
        try:
            features, geometry = self.features.of(question.pool.image(name))
            geometry = replace(geometry, stride=contract.stride)
            blank = Photograph(np.empty((0, 0, 3), np.uint8), geometry)
            item = ready(contract, blank, name, self._barred, n=question.n, seed=question.seed)
        except BadImage:
            return None
        exclude, noise = (
            None if one is None else torch.from_numpy(one)[None].to(features.device)
            for one in (item.exclude, item.noise)
        )
        assert exclude is not None
        found, (*three, value) = self.runtime.network.tail.looking(
            features, exclude, noise, _uncertainties
        )
        scores = Scores(*(one.cpu().numpy() for one in found))
        ranked = chosen(contract, item, scores, 0, n=question.n, distance=question.distance)
        asked = self._asked
        places = _places(ranked) if asked is None else list(asked.get(name, ()))
        height, width = geometry.mapped
        maps = torch.stack(three)[:, 0].cpu().numpy()
        at = np.array([geometry.to_map(*place) for place in places], np.intp).reshape(-1, 2)
        balance = value[0, :height, :width]
        return _Seen(
            ranked.without_maps(), places, maps[:, at[:, 0], at[:, 1]].T,
            float((balance >= 0).float().mean()),
        )  # fmt: skip


def _uncertainties(moments: Moments) -> tuple[Tensor, ...]:
    return bald(moments), aleatoric(moments), posterior(moments), balent(moments)


def _places(ranked: Ranked) -> list[tuple[int, int]]:
    return [(pixel.row, pixel.col) for pixel in ranked.pixels]


def _within(budget: int | None, ranked: Sequence[Ranked]) -> Asked:
    kept = ranked if budget is None else within(budget, lambda: ranked)
    return {one.image: _places(one) for one in kept}


def mean_distance(asked: Asked) -> float:
    """Mean over the images of the mean distance between two chosen pixels, in image pixels."""
    return _mean(
        float(np.mean([np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in combinations(places, 2)]))
        for places in asked.values()
        if len(places) > 1
    )


def mean_unique(answers: Labels) -> float:
    """Mean over the images of the number of different classes among the answers."""
    found = ({click.label for click in clicks} - {None} for clicks in answers.clicks.values())
    return _mean(float(len(classes)) for classes in found if classes)


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")
