"""Outlines of regions along pixel edges, and the pixels that outlines enclose.

A corner is (x, y), in pixels from the left and the upper border of the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float64]
_X_STEP, _Y_STEP = np.array([1, 0, -1, 0]), np.array([0, 1, 0, -1])  # right, down, left, up


@dataclass(frozen=True)
class Border:
    """A closed outline with the region on its right.

    corners: [N, 2], one pixel edge apart, without the first repeated. nodes: [N], corners that
    every simplification keeps: where more than two regions meet, or the image ends.
    """

    region: int
    corners: Ring
    nodes: npt.NDArray[np.bool_]


def borders(ids: npt.NDArray[np.int64]) -> list[Border]:
    """All outlines of the regions of `ids` [H, W]: the outer one of each, and those of its
    holes.
    """
    padded = np.pad(ids, 1, constant_values=-1)
    # The pixels around every corner: right and left of a step from there in each direction.
    around = np.stack([padded[1:, 1:], padded[1:, :-1], padded[:-1, :-1], padded[:-1, 1:]])
    apart = around != np.roll(around, 1, axis=0)
    exists = apart & (around >= 0)
    nodes = apart.sum(0) > 2
    nodes[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    direction, y, x = np.nonzero(exists)
    number = np.full(exists.shape, -1, np.int64)
    number[exists] = np.arange(len(x))
    following = _following(exists, number, direction, y, x)
    regions = around[exists]
    return [
        Border(
            int(regions[way[0]]), np.stack([x[way], y[way]], 1).astype(float), nodes[y[way], x[way]]
        )
        for way in map(np.array, _cycles(following))
    ]


def _following(
    exists: npt.NDArray[np.bool_],
    number: npt.NDArray[np.int64],
    direction: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
) -> list[int]:
    """The successor of every step: a right turn if possible, so that pixels which touch at a corner
    alone are separated.
    """
    end_y, end_x = y + _Y_STEP[direction], x + _X_STEP[direction]
    right, left = (direction + 1) % 4, (direction + 3) % 4
    turn = np.where(exists[direction, end_y, end_x], direction, left)
    turn = np.where(exists[right, end_y, end_x], right, turn)
    following: list[int] = number[turn, end_y, end_x].tolist()
    return following


def _cycles(following: list[int]) -> list[list[int]]:
    seen = bytearray(len(following))
    found = []
    for start in range(len(following)):
        way, step = [], start
        while not seen[step]:
            seen[step] = True
            way.append(step)
            step = following[step]
        if way:
            found.append(way)
    return found


def area(ring: Ring) -> float:
    """Area of a ring [N, 2] in square pixels; negative for a hole."""
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def box(rings: Sequence[Ring], height: int, width: int) -> tuple[int, int, int, int]:
    """The bounding box of rings, within the image: top, left, bottom, right; the last two
    exclusive.
    """
    points = np.concatenate(rings)
    left, top = np.floor(points.min(0)).astype(int)
    right, bottom = np.ceil(points.max(0)).astype(int)
    top, left = min(max(top, 0), height), min(max(left, 0), width)
    return (
        int(top),
        int(left),
        int(max(top, min(bottom, height))),
        int(max(left, min(right, width))),
    )


def filled(rings: Sequence[Ring], place: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of a `box` whose centres are enclosed by an odd number of rings, bool [height,
    width].

    A centre on a line belongs to the region right of it or, on a horizontal line, below it.
    """
    top, left, bottom, right = place
    height, width = bottom - top, right - left
    turns = np.zeros((height, width + 1), np.int64)
    for ring in rings:
        # Independent of a line's direction, so that neighbours share a line but no pixel.
        ends = np.stack([ring, np.roll(ring, -1, axis=0)]) - (left, top)
        upper = np.where(ends[0, :, 1] <= ends[1, :, 1], 0, 1)
        lines = np.arange(len(ring))
        (x0, y0), (x1, y1) = ends[upper, lines].T, ends[1 - upper, lines].T
        first = np.clip(np.ceil(y0 - 0.5), 0, height).astype(int)
        count = np.clip(np.ceil(y1 - 0.5), 0, height).astype(int) - first
        line = np.repeat(lines, count)
        row = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count) + first[line]
        slope = (x1 - x0)[line] / (y1 - y0)[line]
        x = x0[line] + (row + 0.5 - y0[line]) * slope
        np.add.at(turns, (row, np.clip(np.ceil(x - 0.5), 0, width).astype(int)), 1)
    inside: npt.NDArray[np.bool_] = (np.cumsum(turns, axis=1)[:, :width] & 1).astype(bool)
    return inside
