"""Processes a photograph that is far larger than the grid in overlapping tiles, at full resolution.

In overlaps the tiles' probabilities are blended linearly, so that no seams are visible. Memory
holds one strip of tiles, and of the previous strip only the overlap.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]  # [C, height, width]
Read = Callable[[int, int], Pixels]
See = Callable[[Pixels], Probabilities]
Use = Callable[[slice, slice, Probabilities], None]

_OVERLAP = 4  # the overlap is a side of a tile divided by this


@dataclass(frozen=True)
class _Span:
    """A tile along one axis. start, stop: its pixels; before, after: number of pixels shared with
    its neighbours.
    """

    start: int
    stop: int
    before: int
    after: int

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """Blending weights of its pixels, which rise and fall in the overlaps; those of all tiles
        sum to 1.
        """
        found = np.ones(self.stop - self.start, np.float32)
        for ramp, shared in ((found, self.before), (found[::-1], self.after)):
            ramp[:shared] = (np.arange(shared) + 0.5) / max(1, shared)
        return found


def spans(length: int, tile: int) -> list[_Span]:
    """Divide an axis into tiles of one size, as evenly as possible; a short axis is one tile."""
    if length <= tile:
        return [_Span(0, length, 0, 0)]
    step = tile - tile // _OVERLAP
    count = -(-(length - tile) // step) + 1
    starts = [round(index * (length - tile) / (count - 1)) for index in range(count)]
    shared = [first + tile - second for first, second in pairwise(starts)]
    return [
        _Span(start, start + tile, before, after)
        for start, before, after in zip(starts, [0, *shared], [*shared, 0], strict=True)
    ]


def each(read: Read, size: tuple[int, int], grid: tuple[int, int], see: See, use: Use) -> None:
    """Pass the probabilities of all pixels of a photograph with `size` to `use`, block by block,
    each pixel once.

    read(start, stop): rows of the photograph, [stop - start, width, 3]. see: computes the
    probabilities of a tile of the grid's size, padded with zeros beyond the photograph.
    """
    height, width = size
    # weighted probabilities of the rows shared with the previous strip
    above: Probabilities | None = None
    for rows in spans(height, grid[0]):
        below = None
        pixels = read(rows.start, rows.stop)
        for cols, found in _strip(pixels, rows, spans(width, grid[1]), grid, see):
            if rows.before:
                assert above is not None
                found[:, : rows.before] += above[:, :, cols]
            end = found.shape[1] - rows.after
            use(slice(rows.start, rows.start + end), cols, found[:, :end])
            if rows.after:
                if below is None:
                    below = np.empty((len(found), rows.after, width), np.float32)
                below[:, :, cols] = found[:, end:]
        above = below


def _strip(
    pixels: Pixels, rows: _Span, columns: list[_Span], grid: tuple[int, int], see: See
) -> Iterator[tuple[slice, Probabilities]]:
    """Yield blocks of columns of a strip, from left to right, blended where tiles overlap, and
    weighted for blending with the strips above and below.
    """
    left: Probabilities | None = None
    for cols in columns:
        tile = np.zeros((*grid, 3), np.uint8)
        part = pixels[:, cols.start : cols.stop]
        tile[: part.shape[0], : part.shape[1]] = part
        found = see(tile)[:, : part.shape[0], : part.shape[1]] * rows.weights[:, None]
        found *= cols.weights
        if cols.before:
            assert left is not None
            found[:, :, : cols.before] += left
        end = found.shape[2] - cols.after
        left = found[:, :, end:].copy()
        yield slice(cols.start, cols.start + end), found[:, :, :end]
