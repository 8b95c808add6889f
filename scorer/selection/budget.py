"""Chooses a number of pixels in the whole pool: the best of all images."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from scorer.selection.result import Pixel, Ranked

# Higher is better; of equal scores the image that is first in the pool.
_Key = tuple[float, int, int]


def within(budget: int, results: Callable[[], Iterable[Ranked]]) -> Iterator[Ranked]:
    """Yield the images with their share of the `budget` best pixels; images without any are left
    out.

    results: called twice for the same images. Memory grows with the budget, not with the pool.
    """
    keys = (_key(index, pixel) for index, one in enumerate(results()) for pixel in one.pixels)
    best = heapq.nlargest(budget, keys)
    for index, one in enumerate(results()):
        kept = tuple(pixel for pixel in one.pixels if best and _key(index, pixel) >= best[-1])
        if kept:
            yield replace(one, pixels=kept)


def _key(index: int, pixel: Pixel) -> _Key:
    return pixel.score, -index, -pixel.rank
