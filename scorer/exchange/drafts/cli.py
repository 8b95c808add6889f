"""The options and output of scorer labels for drafts and dense labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from scorer import options
from scorer.console import Number, say
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import corrected, predicted
from scorer.exchange.drafts.drafting import SHAPES, Manner
from scorer.exchange.drafts.formats import FORMATS
from scorer.exchange.drafts.predicted import Source
from scorer.pools import Index, list_pool

_USUAL = Manner()


@dataclass(frozen=True, kw_only=True)
class Drafting:
    """The options of drafts: which masks to export, and how; None: the default."""

    draft: Path
    confidence: Path | None
    shapes: str | None
    min_area: int | None
    tolerance: float | None
    review_below: float | None


@dataclass(frozen=True, kw_only=True)
class Painting:
    """The options of dense labels."""

    dense: bool
    out: Path | None
    without_review: bool


_DRAFTING = (
    click.option(
        "--draft",
        type=options.FILE,
        help="Folder of predicted masks, of scorer segment, to write as drafts that annotators "
        "correct.",
    ),
    click.option(
        "--confidence",
        type=options.FILE,
        help="With --draft: folder of the confidences of the masks (scorer segment --confidence).",
    ),
    click.option(
        "--shapes",
        type=click.Choice(SHAPES),
        help="With --draft: masks, whose pixels are as they were, or polygons.  [default: "
        f"{_USUAL.shapes}]",
    ),
    click.option(
        "--min-area",
        type=click.IntRange(1),
        help="With --draft: number of pixels of the smallest region. Smaller ones are given to the "
        "class around them.  [default: a 5,000th part of the image]",
    ),
    click.option(
        "--tolerance",
        type=Number(0),
        help="With --draft: distance in pixels by which the line of a polygon may miss the border. "
        f"[default: {_USUAL.tolerance:g}]",
    ),
    click.option(
        "--review-below",
        type=Number(0, 1),
        help="With --draft: mean confidence below which a region is marked for review.  [default: "
        f"{_USUAL.review_below:g}]",
    ),
)
_PAINTING = (
    click.option(
        "--dense",
        is_flag=True,
        help="Take the masks and polygons of the tool, and write a mask of every image into --out.",
    ),
    click.option(
        "--out",
        type=options.FILE,
        help="With --dense: folder of the masks, class indices, 255 where nothing is labelled.",
    ),
    click.option(
        "--without-review",
        is_flag=True,
        help="With --dense: leave regions that are still marked for review unlabelled.",
    ),
)


def drafting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of drafts to a command, as an argument `drafting`: a `Drafting`, or None."""
    return _gathered(command, _DRAFTING, Drafting, "drafting", "draft")


def painting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of dense labels to a command, as an argument `painting`: a `Painting`, or
    None.
    """
    return _gathered(command, _PAINTING, Painting, "painting", "dense")


def _gathered(
    command: Callable[..., Any],
    added: Sequence[Callable[..., Any]],
    kind: type[Drafting] | type[Painting],
    name: str,
    asked_by: str,
) -> Callable[..., Any]:
    names = [entry.name for entry in fields(kind)]

    @wraps(command)
    def gathering(*args: Any, **given: Any) -> Any:
        own = {one: given.pop(one) for one in names}
        if not own[asked_by] and (useless := [one for one in names if own[one]]):
            option = useless[0].replace("_", "-")
            raise click.UsageError(f"--{option} is of no effect without --{asked_by}")
        if own[asked_by] and given["kind"] not in FORMATS:
            expected = ", ".join(FORMATS)
            raise click.UsageError(
                f"--{asked_by}: --format is {given['kind']}, expected {expected}"
            )
        return command(*args, **given, **{name: kind(**own) if own[asked_by] else None})

    for option in reversed(added):
        gathering = option(gathering)
    return gathering


def hand_out(
    wanted: Drafting, out: Path, kind: str, classes: Callable[[], Sequence[str]], where: str | None
) -> None:
    """Write drafts, and print a summary."""
    given = {"shapes": wanted.shapes, "tolerance": wanted.tolerance}
    given |= {"min_area": wanted.min_area, "review_below": wanted.review_below}
    manner = Manner(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    source = Source(masks=wanted.draft, confidence=wanted.confidence, pool=_pool(where))
    done = predicted.write(out, source, classes(), kind, manner)
    say(f"{done.regions} regions of {done.images} images in {out}", style="green")
    if done.review:
        say(f"{done.review} of them are marked for review")
    if done.islands:
        say(f"{done.islands} smaller islands were given to what is around them")
    if done.without:
        say(f"{len(done.without)} images have no mask, such as {done.without[0]}", style="yellow")


def take_back(
    wanted: Painting, path: Path, kind: str, classes: Callable[[], Sequence[str]], where: str | None
) -> None:
    """Write masks from a tool's export, and print a summary."""
    pool = _pool(where)
    if wanted.out is None or pool is None:
        raise click.UsageError(
            "--dense needs --out, a folder of masks, and the --pool of the images"
        )
    catalogue = Catalogue(tuple(classes()), {}, pool)
    done = corrected.take(path, kind, wanted.out, catalogue, without_review=wanted.without_review)
    share = f", {done.labelled / done.pixels:.0%} of their pixels labelled" if done.pixels else ""
    say(f"{done.masks} masks in {wanted.out}{share}", style="green")
    if done.review:
        left = " and left unlabelled" if wanted.without_review else ""
        say(f"{done.review} regions are still marked for review{left}", style="yellow")
    if done.empty:
        say(f"{len(done.empty)} images have no region, such as {done.empty[0]}", style="yellow")
    for shape, count in sorted(done.passed_over.items()):
        say(f"{count} shapes without an area were passed over: {shape}", style="yellow")


def _pool(where: str | None) -> Index | None:
    return list_pool(where) if where else None
