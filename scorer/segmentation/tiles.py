"""A photograph that is far larger than the grid, in overlapping tiles at its own resolution.

Where tiles overlap their probabilities are mixed, from all of one tile to all of the next, so that
no border can be seen. A strip of tiles is in memory at a time, of its scores only what overlaps.
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

_OVERLAP = 4  # of a side of a tile, one part


@dataclass(frozen=True)
class _Span:
    """Of a tile along one axis. start, stop: its pixels; before, after: of these, how many it
    shares with its neighbours.
    """

    start: int
    stop: int
    before: int
    after: int

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """Of its pixels: from 0 to 1 where it begins, and back where it ends; with those of its
        neighbours 1 everywhere.
        """
        found = np.ones(self.stop - self.start, np.float32)
        for ramp, shared in ((found, self.before), (found[::-1], self.after)):
            ramp[:shared] = (np.arange(shared) + 0.5) / max(1, shared)
        return found


def spans(length: int, tile: int) -> list[_Span]:
    """Tiles of one size that cover an axis, as evenly as pixels allow; one for a short axis."""
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
    """Hand the probabilities of all pixels of a photograph of a size to `use`, a block at a time,
    each pixel once.

    read(start, stop): rows of it, [stop - start, width, 3]. see: of a tile of the size of the grid,
    padded with zeros where the photograph ends.
    """
    height, width = size
    above: Probabilities | None = None  # what the strip before says of the rows that it shares
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
    """The columns of a strip from left to right, each once, mixed where tiles overlap; weighted for
    the strips above and below.
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
