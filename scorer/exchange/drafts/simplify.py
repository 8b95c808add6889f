"""Borders with fewer corners, at most so many pixels from where they were.

Neighbours share their lines: each line between two nodes is simplified once, and the regions on
both sides get the same, so that nothing tears apart.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scorer.exchange.drafts.outline import Border, Ring, area

_KEPT = 0.25  # of its area is what a region may gain or lose
_LEAST = 0.25  # pixels; below it corners on a grid are never dropped but on straight lines
_Key = tuple[float, ...]


def simplified(
    borders: Sequence[Border], areas: npt.NDArray[np.int64], tolerance: float
) -> list[list[Ring]]:
    """The rings of every region, its outer one first, from its borders; areas: in pixels.

    No corner that is dropped is farther than `tolerance` pixels from the new line (Douglas and
    Peucker 1973). Where a region would gain or lose a quarter of its area, such as a thin pole, its
    lines keep to half the tolerance, and so on.
    """
    cut = [(border.region, _lines(border)) for border in borders]
    lines = {_key(line): line for _, ring in cut for line in ring}
    allowed = dict.fromkeys(lines, tolerance)
    kept = {key: _dropped(_ahead(line, key), tolerance) for key, line in lines.items()}
    while True:
        rings: list[list[Ring]] = [[] for _ in areas]
        for region, ring in cut:
            rings[region].append(_ring([_as_run(line, kept) for line in ring]))
        wrong = {region for region, found in enumerate(rings) if _spoilt(found, areas[region])}
        keys = {_key(line) for region, ring in cut if region in wrong for line in ring}
        again = {key: allowed[key] / 2 for key in keys if allowed[key]}
        if not again:
            return [sorted(found, key=area, reverse=True) for found in rings]
        for key, least in again.items():
            allowed[key] = least if least >= _LEAST else 0.0
            kept[key] = _dropped(_ahead(lines[key], key), allowed[key])


def _spoilt(rings: Sequence[Ring], pixels: int) -> bool:
    if any(len(ring) < 3 for ring in rings):
        return True
    return abs(sum(map(area, rings)) - pixels) > _KEPT * pixels


def _lines(border: Border) -> list[Ring]:
    """From node to node; the whole ring, from its first corner of all, where there is none."""
    corners = border.corners
    starts = np.flatnonzero(border.nodes)
    if not len(starts):
        starts = np.lexsort(corners.T)[:1]
    ends = [*starts[1:], starts[0] + len(corners)]
    return [
        np.take(corners, np.arange(start, end + 1), axis=0, mode="wrap")
        for start, end in zip(starts, ends, strict=True)
    ]


def _key(line: Ring) -> _Key:
    """The same for a line in both directions: its end and the corner beside it, whichever comes
    first of all.
    """
    forth, back = (tuple(part.ravel().tolist()) for part in (line[:2], line[:-3:-1]))
    return min(forth, back)


def _ahead(line: Ring, key: _Key) -> Ring:
    return line if tuple(line[:2].ravel().tolist()) == key else line[::-1]


def _as_run(line: Ring, kept: dict[_Key, Ring]) -> Ring:
    found = kept[_key(line)]
    return found if _ahead(line, _key(line)) is line else found[::-1]


def _ring(lines: Sequence[Ring]) -> Ring:
    return np.concatenate([line[:-1] for line in lines])


def _dropped(line: Ring, tolerance: float) -> Ring:
    """A line [N, 2] without corners that it does not need; its ends stay."""
    keep = np.zeros(len(line), bool)
    keep[[0, -1]] = True
    waiting = [(0, len(line) - 1)]
    while waiting:
        start, end = waiting.pop()
        if end - start < 2:
            continue
        away = _distances(line[start + 1 : end], line[start], line[end])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            middle = start + 1 + farthest
            keep[middle] = True
            waiting += [(start, middle), (middle, end)]
    return line[keep]


def _distances(points: Ring, start: Ring, end: Ring) -> Ring:
    """Of points [N, 2] from the line between two; where these are one, from it."""
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    away: Ring = np.hypot(*(points - start - share[:, None] * along).T)
    return away
