"""A ranking of whole images, for teams that label all of an image or nothing."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from scorer.ranking import table
from scorer.selection.result import Ranked

COLUMNS = ("image", "rank", "score", "height", "width")


def _mean(image: Ranked) -> float | None:
    """Mean score of the chosen pixels."""
    return float(np.mean([one.score for one in image.pixels])) if image.pixels else None


def _median(image: Ranked) -> float | None:
    """Median score of the chosen pixels."""
    return float(np.median([one.score for one in image.pixels])) if image.pixels else None


def _share(image: Ranked) -> float | None:
    """Share of the pixels that are uncertain."""
    return image.share


WAYS: dict[str, Callable[[Ranked], float | None]] = {
    "mean": _mean, "median": _median, "share": _share,
}  # fmt: skip


def write(path: Path, images: Iterable[Ranked], by: str) -> int:
    """Write all images that have a score, best first; returns how many.

    Memory grows with the pool, by some hundred bytes an image. Of equal scores the first in the
    pool comes first.
    """
    found = [
        (score, one.image, *one.geometry.image)
        for one in images
        if (score := WAYS[by](one)) is not None
    ]
    order = np.argsort([-one[0] for one in found], kind="stable")
    table.write(path, _rows(found, order.tolist()), COLUMNS)
    return len(found)


def _rows(found: list[tuple[float, str, int, int]], order: list[int]) -> Iterator[table.Row]:
    for rank, place in enumerate(order, start=1):
        score, image, height, width = found[place]
        values = (image, rank, float(f"{score:.9g}"), height, width)
        yield dict(zip(COLUMNS, values, strict=True))
