"""The messages of `scorer rank`, during its work and at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import labels
from scorer.console import quantity, say
from scorer.contract import CONVERGED, Contract
from scorer.errors import BadLabels
from scorer.labels import Labels
from scorer.ranking.likeness import FEWEST
from scorer.ranking.observer import Observer
from scorer.selection.spacing import AUTO

if TYPE_CHECKING:
    from rich.progress import Progress

    from scorer.ranking.summary import Summary

_TABLE = Path("labels.csv")
_TOLD = 5  # images whose reason is printed


class PoolProgress(Observer):
    """Shows the progress of a job on a pool. doing, done: verbs, such as ranking and scored; what,
    more: lines that describe the job.
    """

    def __init__(self, bar: "Progress", doing: str, done: str, what: str, *more: str) -> None:
        self._bar, self._doing, self._done, self._what, self._more = bar, doing, done, what, more
        self._task = bar.add_task("listing", total=None)

    def listed(self, images: int) -> None:
        self._bar.update(self._task, completed=images)

    def begun(self, images: int, stale: Mapping[str, int]) -> None:
        self._bar.update(self._task, description=self._doing, total=images, completed=0)
        say(f"{images} images {self._what}", images=images)
        for line in self._more:
            say(line)
        for what, count in stale.items():
            text = f"{count} parts are of other {what}: {self._done} again"
            say(text, parts=count, changed=what)

    def assembled(self, parts: int) -> None:
        say(f"{parts} parts are of another runtime: they are used as they are", parts=parts)

    def scored(self, images: int) -> None:
        self._bar.update(self._task, completed=images)


def describe(contract: Contract) -> str:
    passes = f"{contract.passes} dropout passes"
    stride = "" if contract.stride == 1 else f", map of {contract.map[0]}x{contract.map[1]}"
    return f"{contract.acquisition} over {passes} at {contract.height}x{contract.width}{stride}"


def tell_labels(read: Path | None, classes: Sequence[str]) -> None:
    """Report which labels are read without --labels, and pixels of a labels.csv that are not."""
    if read is not None:
        say(f"pixels in {read} are not chosen again; to choose from all: --labels none")
    if not _TABLE.is_file():
        return
    try:
        there = _pixels(labels.read(_TABLE, classes))
        missing = there if read is None else there - _pixels(labels.read(read, classes))
    except BadLabels as error:  # such as of other classes
        say(f"{_TABLE} is not read: {error}", style="yellow")
        return
    if missing:
        say(
            f"{_TABLE} is not read, and {quantity(len(missing), 'pixel')} of it may be chosen "
            f"again: give --labels {_TABLE}, or import it with: scorer labels import {_TABLE} "
            "--format csv --annotator NAME",
            style="yellow",
        )


def _pixels(found: Labels) -> set[tuple[str, int, int]]:
    return {(image, one.row, one.col) for image, clicks in found.clicks.items() for one in clicks}


def warn_of_neighbours(contract: Contract, distance: float | None) -> None:
    """Warn if pixels cannot be spaced although the user did not turn spacing off."""
    if distance is AUTO and not contract.has_map:
        say(
            "this graph gives no map: pixels may lie side by side; export it anew: "
            "python -m export onnx --map",
            style="yellow",
        )


def describe_executor(executor: str, workers: int, threads: int) -> str:
    if executor == "threads":
        return f"{threads} images at a time"
    return f"{workers} {_WORKERS[executor]}"


_WORKERS = {"processes": "processes", "ray": "actors of Ray"}


def tell(summary: "Summary", out: Path, overlay: Path | None, *, seconds: float) -> None:
    done = summary.images - summary.kept
    rate = f" ({done / seconds:.1f} images/s)" if done else ""
    numbers = {"seconds": round(seconds, 3), "kept": summary.kept} | summary.as_dict()
    text = f"{summary.pixels} pixels of {summary.asked} images in {out}{rate}"
    say(text, style="green", out=str(out), **numbers)
    if summary.kept:
        say(f"{summary.kept} of the images were ranked by an earlier run")
    if summary.short:
        say(f"{summary.short} images had fewer pixels left than --n", style="yellow")
    if summary.share is not None:
        _tell_share(summary.share)
    if summary.first:
        _tell_why(summary)
    if summary.strangers:
        say(f"{summary.strangers} labelled images are not in the pool", style="yellow")
    if overlay is not None:
        say(f"pictures in {overlay}")
    if summary.skipped:
        _tell_skipped(summary, out)
    if summary.passing:
        say(
            f"{summary.passing} of these images may be readable later; give the same command "
            "again to try them"
        )


def _tell_why(summary: "Summary") -> None:
    say("the first whole images, and why:")
    for row in summary.first[:_TOLD]:
        say(f"  {row['image']}: {row['why']}", image=row["image"], why=row["why"])
    if summary.labelled < FEWEST:
        say(
            f"images unlike the labelled ones are not told: {summary.labelled} images have labels "
            f"(--labels), and {FEWEST} are needed",
            style="yellow",
            labelled=summary.labelled,
        )


def _tell_share(share: float) -> None:
    """Report the share of pixels with BalEnt ≥ 0, with a warning if it is small.

    BalEntAcq scatters its choice along BalEnt = 0; without such pixels, it chooses the largest
    values of a smooth map, which are adjacent.
    """
    sentence = f"BalEnt is 0 or more at {share:.2%} of the pixels"
    if share >= CONVERGED:
        say(sentence, nonnegative=share)
        return
    say(
        f"{sentence}: BalEntAcq chooses near that level, and few pixels are. Either the "
        "network has not converged (train it for more steps, on more labels), or it has few doubts "
        "left (measure it: trainer evaluate)",
        style="yellow",
        nonnegative=share,
    )


def _tell_skipped(summary: "Summary", out: Path) -> None:
    from scorer.ranking.parts import skipped_path  # noqa: PLC0415

    say(f"{summary.skipped} images were skipped:", style="yellow")
    for reason, count in summary.reasons.most_common():
        named = summary.examples[reason]
        say(f"  {count} {reason}", style="yellow", reason=reason, images=count)
        for skip in named:
            text = f"    {skip.image}" + (f" ({skip.detail})" if skip.detail else "")
            say(text, image=skip.image, reason=reason, detail=skip.detail)
        if count > len(named):
            say(f"    and {count - len(named)} more")
    say(f"all of them are named in {skipped_path(out)}")
