"""Images in memory, for measuring a graph alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from scorer.errors import BadImage, BadPool
from scorer.images.photograph import load
from scorer.pools import Index
from scorer.runtimes.base import Runtime
from scorer.selection.noise import uniform

_IN_MEMORY = 16  # images of a pool

Image = npt.NDArray[np.uint8]
T = TypeVar("T")


def bare(runtime: Runtime, pool: Index | None) -> Callable[[int], object]:
    """A function run(i) that scores one of a few images in memory. Raises BadPool."""
    contract = runtime.contract
    images = [image[None] for image in _images(contract.grid, pool)]
    exclude = np.zeros((1, *contract.map), np.uint8)
    noise = uniform(0, "", contract.map)[None] if contract.stochastic else None
    return lambda index: runtime.run(images[index % len(images)], exclude, noise)


def random_image(grid: tuple[int, int]) -> Image:
    """An image [H, W, 3] for measuring without a pool."""
    return np.random.default_rng(0).integers(0, 256, (*grid, 3), dtype=np.uint8)


def readable(pool: Index, opened: Callable[[str], T]) -> Iterator[T]:
    """Yield opened(name) for the first few images of a pool that can be read. Raises BadPool if
    none can.
    """
    found = 0
    for name in pool.names:
        with suppress(BadImage, OSError):  # OSError: a file that vanished
            yield opened(name)
            found += 1
        if found == _IN_MEMORY:
            return
    if not found:
        raise BadPool(
            f"none of the {len(pool)} images in {pool.where} can be read",
            remedy="give --pool a folder of photographs",
        )


def _images(grid: tuple[int, int], pool: Index | None) -> Iterator[Image]:
    if pool is None:
        yield random_image(grid)
    else:
        yield from readable(pool, lambda name: load(pool.image(name), grid).pixels)
