"""Ranks the pixels of a pool: worker threads decode and score images in parallel."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scorer.contract import NO_PIXEL, Contract
from scorer.errors import BadImage, BadInput, Failure
from scorer.images.encoded import Encoded
from scorer.images.photograph import MAX_PIXELS, Photograph, load
from scorer.labels import Labels
from scorer.pools import Entry, Pool, check_name
from scorer.runtimes.base import Runtime, Scores
from scorer.selection.exclusion import Exclusion, outside_random_pool
from scorer.selection.noise import uniform
from scorer.selection.prefetch import prefetch
from scorer.selection.result import Pixel, Ranked, Skipped
from scorer.selection.sight import Sight
from scorer.selection.spacing import AUTO, of, pick


@dataclass(frozen=True)
class Prepared:
    """The inputs of a graph for one image: exclude uint8 and noise float32 [mapH, mapW].

    asked: pixels of the original image that were already asked for, (row, column).
    """

    image: str
    photograph: Photograph
    exclude: npt.NDArray[np.uint8]
    noise: npt.NDArray[np.float32] | None
    asked: Sequence[tuple[int, int]] = ()


def rank(  # noqa: PLR0913  # what is chosen, and how it is run
    runtime: Runtime,
    pool: Pool,
    *,
    n: int,
    labels: Labels | None = None,
    seed: int = 0,
    batch: int = 1,
    want_map: bool = False,
    start: int = 0,
    distance: float | None = 0,
    exclude: Path | None = None,
) -> Iterator[Ranked | Skipped]:
    """Yield one result per image of the pool from index `start` on, in the pool's order.

    n: number of pixels per image; those in `labels` are not chosen. distance: between chosen pixels
    (spacing.py). exclude: folder of masks of pixels never to choose (exclusion.py). The result of
    an image depends on the graph, the image, its labels, these options and the seed, but not on
    order or batch. Raises BadInput for options that the graph does not support, BadPool.
    """
    barred = Exclusion(labels or Labels({}), exclude)
    ranker = Ranker(runtime, barred, n=n, distance=distance, seed=seed, want_map=want_map)

    def score(entries: Sequence[Entry]) -> list[Ranked | Skipped]:
        by_name = {entry.name: entry for entry in entries}
        return ranker.rank([one.name for one in entries], lambda name: pool.read(by_name[name]))

    with ThreadPoolExecutor(runtime.workers) as threads:
        chunks = _chunks(islice(pool.entries(), start, None), batch)
        try:
            for results in prefetch(threads, score, chunks, 2 * runtime.workers):
                yield from results
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


class Ranker:
    """Chooses the n best pixels of images, batch by batch; thread-safe.

    distance: see spacing.of. want_map: whether results keep their maps. sights: whether to keep
    properties of whole images. Raises BadInput for options that the graph does not support.
    """

    def __init__(
        self,
        runtime: Runtime,
        barred: Exclusion,
        *,
        n: int,
        distance: float | None = 0,
        seed: int = 0,
        want_map: bool = False,
        sights: bool = False,
    ) -> None:
        check(runtime.contract, n=n, distance=distance, want_map=want_map or sights)
        self.runtime, self.barred = runtime, barred
        self.n, self.distance, self.seed, self.want_map = n, distance, seed, want_map
        self.sights = sights

    def rank(
        self, names: Sequence[str], source: Callable[[str], Encoded]
    ) -> list[Ranked | Skipped]:
        """One result per image, computed in one batch; source(name): the encoded image, or raises
        BadImage.
        """
        chunk = [self._ready(name, source) for name in names]
        prepared = [item for item in chunk if isinstance(item, Prepared)]
        if not prepared:
            return [item for item in chunk if isinstance(item, Skipped)]
        contract = self.runtime.contract
        want_map = self.want_map or self.sights or needs_maps(contract, self.distance)
        scores = run(self.runtime, prepared, want_map=want_map)
        found = (
            chosen(contract, item, scores, index, n=self.n, distance=self.distance)
            for index, item in enumerate(prepared)
        )
        if self.sights:
            found = (_seen(contract, *both) for both in zip(found, prepared, strict=True))
        kept = found if self.want_map else (one.without_maps() for one in found)
        return [item if isinstance(item, Skipped) else next(kept) for item in chunk]

    def _ready(self, name: str, source: Callable[[str], Encoded]) -> Prepared | Skipped:
        try:
            check_name(name)
            contract = self.runtime.contract
            return prepare(contract, source(name), name, self.barred, n=self.n, seed=self.seed)
        except BadImage as error:
            return Skipped(name, error.reason, error.detail)


def check(contract: Contract, *, n: int, distance: float | None = 0, want_map: bool) -> None:
    """Raise BadInput for options that the graph does not support."""
    if not 1 <= n <= contract.top_k:
        raise BadInput(
            f"n is {n}, this graph serves 1 to {contract.top_k} pixels per image",
            remedy=f"export it anew: python -m export onnx --top {max(n, 1)}",
        )
    if want_map and not contract.has_map:
        raise BadInput(
            "this graph gives no uncertainty map",
            remedy="export it anew: python -m export onnx --map",
        )
    if distance and not contract.has_map:
        raise BadInput(
            "this graph gives no map, from which pixels that lie apart are chosen",
            remedy="export it anew: python -m export onnx --map; or give --min-distance 0, which "
            "is the paper's rule",
        )


def prepare(
    contract: Contract,
    source: Encoded,
    name: str,
    barred: Exclusion,
    *,
    n: int,
    seed: int,
    max_pixels: int = MAX_PIXELS,
) -> Prepared:
    """Decode an image, and prepare the graph's inputs; random numbers depend on `name`. Raises
    BadImage.
    """
    photograph = load(source, contract.grid, stride=contract.stride, max_pixels=max_pixels)
    return ready(contract, photograph, name, barred, n=n, seed=seed)


def ready(
    contract: Contract, photograph: Photograph, name: str, barred: Exclusion, *, n: int, seed: int
) -> Prepared:
    """Prepare the graph's inputs for a decoded photograph. Raises BadImage."""
    exclude = barred.of(name, photograph.geometry)
    if (size := contract.random_pool(n)) is not None:
        exclude = outside_random_pool(exclude, uniform(seed, name, contract.map), size)
    noise = uniform(seed, name, contract.map) if contract.stochastic else None
    asked = [(click.row, click.col) for click in barred.labels.of(name)]
    return Prepared(name, photograph, exclude, noise, asked)


def _chunks(entries: Iterator[Entry], size: int) -> Iterator[Sequence[Entry]]:
    while chunk := list(islice(entries, size)):
        yield chunk


def needs_maps(contract: Contract, distance: float | None) -> bool:
    """Whether the choice needs the graph's maps: for spacing, or for the share with BalEnt ≥ 0."""
    spaced = not contract.scattered if distance is AUTO else distance > 0
    return contract.has_map and (spaced or contract.traits.zero_level is not None)


def run(runtime: Runtime, prepared: Sequence[Prepared], *, want_map: bool) -> Scores:
    """Score images in one batch."""
    noises = [item.noise for item in prepared if item.noise is not None]
    return runtime.run(
        np.stack([item.photograph.pixels for item in prepared]),
        np.stack([item.exclude for item in prepared]),
        np.stack(noises) if noises else None,
        want_map=want_map,
    )


def chosen(
    contract: Contract,
    item: Prepared,
    scores: Scores,
    index: int,
    *,
    n: int,
    distance: float | None,
) -> Ranked:
    """The n best pixels of the image at `index` in the scores of a batch; distance: see spacing.of.

    Raises Failure for scores or classes that a correct graph cannot give.
    """
    geometry = item.photograph.geometry
    height, width = geometry.mapped
    uncertainty = None if scores.map is None else scores.map[index, :height, :width]
    classes = scores.segmentation
    classes = None if classes is None else classes[index, :height, :width]
    nonnegative, zero_level = None, contract.traits.zero_level
    if zero_level is not None and uncertainty is not None:
        nonnegative = float(np.mean(uncertainty >= zero_level))
    spacing = of(distance, geometry, n, contract, nonnegative)
    if spacing.radius and scores.score_map is not None and scores.segmentation is not None:
        picks = pick(scores.score_map[index], geometry, n, spacing, item.asked)
        found = [
            _Found(
                *place,
                float(scores.score_map[index][place]),
                int(scores.segmentation[index][place]),
            )
            for place in picks
        ]
    else:
        found = _found(scores, index)[:n]
    _check_found(found, item.image, contract)
    pixels = tuple(
        Pixel(*geometry.to_image(one.row, one.col), place, one.score, one.label)
        for place, one in enumerate(found, start=1)
    )
    return Ranked(item.image, geometry, pixels, uncertainty, classes, nonnegative=nonnegative)


def _seen(contract: Contract, one: Ranked, item: Prepared) -> Ranked:
    """The result with the properties of the whole image."""
    assert one.map is not None
    assert one.segmentation is not None
    classes = len(contract.classes)
    sight = Sight.of(item.image, one.map, one.segmentation, item.photograph, classes)
    return replace(one, sight=sight)


class _Found(NamedTuple):
    """A chosen pixel of the map."""

    row: int
    col: int
    score: float
    label: int


def _found(scores: Scores, index: int) -> list[_Found]:
    """The eligible pixels among the K best of an image in the batch, best first."""
    there = scores.pixel[index, :, 0] != NO_PIXEL
    columns = (*scores.pixel[index].T, scores.score[index], scores.label[index])
    return [_Found(*values) for values in zip(*(c[there].tolist() for c in columns), strict=True)]


def _check_found(found: Sequence[_Found], image: str, contract: Contract) -> None:
    if not all(math.isfinite(one.score) for one in found):
        raise Failure(
            f"{image}: the graph gave a score that is not a number",
            remedy="compare it with its model: python -m export verify",
        )
    if not all(one.label < len(contract.classes) for one in found):
        raise Failure(
            f"{image}: the graph predicts a class that its contract does not name",
            remedy="export the graph again",
        )
