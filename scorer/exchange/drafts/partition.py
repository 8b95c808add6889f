"""Divides a mask into connected regions, and merges those that are too small."""

from collections import defaultdict
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int64]


def components(mask: Mask) -> Ids:
    """The region number of every pixel of a mask [H, W], from 0: regions are pixels of one value
    that touch along an edge, not only at a corner.
    """
    starts = np.ones(mask.shape, bool)
    starts[:, 1:] = mask[:, 1:] != mask[:, :-1]
    runs = np.cumsum(starts).reshape(mask.shape) - 1
    count, same = int(runs[-1, -1]) + 1, mask[1:] == mask[:-1]
    upper, lower = np.divmod(np.unique(runs[:-1][same] * count + runs[1:][same]), count)
    root = np.arange(count)
    while (root[upper] != root[lower]).any():
        np.minimum.at(root, root[upper], root[lower])
        np.minimum.at(root, root[lower], root[upper])
        while (root[root] != root).any():
            root = root[root]
    numbers: Ids = np.unique(root, return_inverse=True)[1]
    found: Ids = numbers[runs]
    return found


def without_islands(mask: Mask, least: int) -> tuple[Mask, int]:
    """A mask [H, W] whose regions all have at least `least` pixels, and the number of merged
    regions.

    The smallest region is merged first, into the value with which it shares most of its border, and
    of two with equal borders into the smaller value.
    """
    ids = components(mask)
    areas = np.bincount(ids.ravel())
    if areas.min() >= least:
        return mask, 0
    regions = _Regions(ids, mask, areas)
    dropped = regions.drop(least)
    return regions.values()[ids], dropped


class _Regions:
    """Regions during merging: area, value and border lengths of each."""

    def __init__(self, ids: Ids, mask: Mask, areas: npt.NDArray[np.int64]) -> None:
        self.area = areas.tolist()
        self.value = np.zeros(len(areas), np.uint8)
        self.value[ids.ravel()] = mask.ravel()
        self.joined = list(range(len(areas)))
        self.borders: list[dict[int, int]] = [defaultdict(int) for _ in areas]
        for one, other in ((ids[:, 1:], ids[:, :-1]), (ids[1:], ids[:-1])):
            apart = one != other
            pairs, lengths = np.unique(one[apart] * len(areas) + other[apart], return_counts=True)
            for pair, length in zip(pairs.tolist(), lengths.tolist(), strict=True):
                a, b = divmod(pair, len(areas))
                self.borders[a][b] += length
                self.borders[b][a] += length

    def drop(self, least: int) -> int:
        """Merge regions smaller than `least` into neighbours; returns their number."""
        waiting = [(area, one) for one, area in enumerate(self.area) if area < least]
        heapify(waiting)
        dropped = 0
        while waiting:
            area, one = heappop(waiting)
            stale = self.joined[one] != one or self.area[one] != area
            if stale or not self.borders[one]:
                continue
            dropped += 1
            taken = self._give(one)
            if self.area[taken] < least:
                heappush(waiting, (self.area[taken], taken))
        return dropped

    def values(self) -> Mask:
        """The final value of every region."""
        found = np.arange(len(self.joined))
        joined = np.array(self.joined)
        while (joined[found] != found).any():
            found = joined[found]
        return self.value[found]

    def _give(self, one: int) -> int:
        """Merge a region with its neighbours of the value that it takes; returns the merged
        region.
        """
        lengths: dict[int, int] = defaultdict(int)
        for other, length in self.borders[one].items():
            lengths[int(self.value[other])] += length
        value = min(lengths, key=lambda value: (-lengths[value], value))
        near = [other for other in self.borders[one] if self.value[other] == value]
        into = max(near, key=lambda other: (self.area[other], -other))
        for other in (one, *(other for other in near if other != into)):
            self._join(other, into)
        return into

    def _join(self, one: int, into: int) -> None:
        self.joined[one] = into
        self.area[into] += self.area[one]
        for other, length in self.borders[one].items():
            del self.borders[other][one]
            if other != into:
                self.borders[into][other] += length
                self.borders[other][into] += length
        self.borders[one] = {}
