"""Simplifies outlines to fewer corners, within a tolerance in pixels.

Neighbouring regions share lines: each line between two nodes is simplified once for both regions,
so that no gaps arise.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scorer.exchange.drafts.outline import Border, Ring, area

_KEPT = 0.25  # largest change of a region's area, as a fraction of it
_LEAST = 0.25  # pixels: below it only corners on straight lines can be dropped
_Key = tuple[float, ...]


def simplified(
    borders: Sequence[Border], areas: npt.NDArray[np.int64], tolerance: float
) -> list[list[Ring]]:
    """The rings of every region, the outer one first; areas: in pixels.

    No dropped corner is farther than `tolerance` pixels from the new line (Douglas and Peucker
    1973). If a region, such as a thin pole, would gain or lose a quarter of its area, the tolerance
    of its lines is halved, repeatedly if necessary.
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
    """The lines of an outline from node to node; a ring without nodes starts at its smallest
    corner.
    """
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
    """A key of a line that is equal in both directions: the smaller of its two ends, each with the
    next corner.
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
    """A line [N, 2] without unneeded corners; its ends stay."""
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
    """Distances of points [N, 2] from a line segment, which may be a single point."""
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    away: Ring = np.hypot(*(points - start - share[:, None] * along).T)
    return away
