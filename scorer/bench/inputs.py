"""Images in memory, for measuring a graph alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from scorer.errors import BadImage, BadPool
from scorer.images.photograph import load
from scorer.pools import Index
from scorer.runtimes.base import Runtime
from scorer.selection.noise import uniform

IN_MEMORY = 16  # images of a pool


def bare(runtime: Runtime, pool: Index | None) -> Callable[[int], object]:
    """A function run(i) that scores one of a few images in memory."""
    contract = runtime.contract
    images = list(_images(contract.grid, pool))
    exclude = np.zeros((1, *contract.map), np.uint8)
    noise = uniform(0, "", contract.map)[None] if contract.stochastic else None
    return lambda index: runtime.run(images[index % len(images)], exclude, noise)


def _images(grid: tuple[int, int], pool: Index | None) -> Iterator[npt.NDArray[np.uint8]]:
    if pool is None:
        yield np.random.default_rng(0).integers(0, 256, (1, *grid, 3), dtype=np.uint8)
        return
    found = 0
    for name in pool.names:
        with suppress(BadImage):
            yield load(pool.image(name), grid).pixels[None]
            found += 1
        if found == IN_MEMORY:
            return
    if not found:
        raise BadPool(
            f"none of the {len(pool)} images in {pool.where} can be read",
            remedy="give --pool a folder of photographs",
        )
