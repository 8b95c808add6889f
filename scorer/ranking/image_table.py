"""Writes a ranking of whole images, for teams that label complete images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scorer.ranking import table
from scorer.ranking.reasons import Reason, Reasons
from scorer.selection.result import Ranked

FIRST = 20  # images that are displayed
_KINDS: table.Kinds = {"image": str, "rank": int, "score": float, "height": int, "width": int}
COLUMNS = tuple(_KINDS)
_REASONS: table.Kinds = {
    "mean": float, "uncertain": float, "rare": str, "unlike": float, "why": str,
}  # fmt: skip


def _mean(image: Ranked) -> float | None:
    """Mean score of the chosen pixels."""
    return float(np.mean([one.score for one in image.pixels])) if image.pixels else None


def _median(image: Ranked) -> float | None:
    """Median score of the chosen pixels."""
    return float(np.median([one.score for one in image.pixels])) if image.pixels else None


def _share(image: Ranked) -> float | None:
    """Share of the pixels that are uncertain; None if unknown."""
    return image.share


WAYS: dict[str, Callable[[Ranked], float | None]] = {
    "mean": _mean, "median": _median, "share": _share,
}  # fmt: skip


class _Image(NamedTuple):
    score: float
    name: str
    height: int
    width: int
    reason: Reason | None


def write(
    path: Path, images: Iterable[Ranked], by: str, reasons: Reasons | None = None
) -> list[table.Row]:
    """Write all images with a score, best first, with reasons if given; returns the first 20 rows.

    by: a key of WAYS. Memory grows with the pool, by some hundred bytes per image, and with reasons
    by some more per class. Images with equal scores stay in the order of the pool.
    """
    found = [
        _Image(score, one.image, *one.geometry.image, _reason(one, reasons))
        for one in images
        if (score := WAYS[by](one)) is not None
    ]
    found.sort(key=lambda one: -one.score)
    first: list[table.Row] = []
    table.write(path, _kept(_rows(found, reasons), first), _kinds(reasons))
    return first


def _reason(image: Ranked, reasons: Reasons | None) -> Reason | None:
    return None if reasons is None else reasons.of_image(image)


def _kinds(reasons: Reasons | None) -> table.Kinds:
    """The columns; with reasons, also theirs and the share of every class."""
    if reasons is None:
        return _KINDS
    return {**_KINDS, **_REASONS, **dict.fromkeys(map(_share_of, reasons.classes), float)}


def _share_of(name: str) -> str:
    return f"share of {name}"


def _rows(found: Sequence[_Image], reasons: Reasons | None) -> Iterator[table.Row]:
    means = np.sort([one.reason.mean for one in found if one.reason])
    for rank, one in enumerate(found, start=1):
        values = (one.name, rank, float(f"{one.score:.9g}"), one.height, one.width)
        row: table.Row = dict(zip(COLUMNS, values, strict=True))
        if reasons is not None and one.reason is not None:
            above = float(np.searchsorted(means, one.reason.mean)) / len(means)
            row |= _explained(one.reason, reasons, above)
        yield row


def _explained(reason: Reason, reasons: Reasons, above: float) -> table.Row:
    """The columns of a reason; above: see Reasons.sentence."""
    names = reasons.classes
    return {
        "mean": _rounded(reason.mean),
        "uncertain": _rounded(reason.uncertain),
        "rare": ", ".join(names[index] for index in reason.rare),
        "unlike": _rounded(reason.unlike),
        "why": reasons.sentence(reason, above),
    } | {
        _share_of(name): _rounded(share)
        for name, share in zip(names, reason.shares.tolist(), strict=True)
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _kept(rows: Iterable[table.Row], first: list[table.Row]) -> Iterator[table.Row]:
    """Yield the rows, and collect the first of them in a list."""
    for row in rows:
        if len(first) < FIRST:
            first.append(row)
        yield row
