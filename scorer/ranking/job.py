"""The ranking job: list the pool, score it shard by shard, and join the parts."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

from scorer.errors import BadInput, BadPool
from scorer.files import replacing
from scorer.images.encoded import Encoded
from scorer.instance_lock import instance_lock
from scorer.pools import Pool
from scorer.ranking import checks, image_table, manifest, parts, report, table
from scorer.ranking.executors import Executor, threads
from scorer.ranking.observer import Observer
from scorer.ranking.part import RUNTIMES
from scorer.ranking.reasons import Reasons
from scorer.ranking.remaining import Remaining
from scorer.ranking.shard import Criteria, Shards
from scorer.ranking.summary import Summary, summarise
from scorer.runtimes.base import Runtime
from scorer.selection.budget import within
from scorer.selection.result import Ranked
from scorer.selection.select import check

SHARD = 64


@dataclass(frozen=True, kw_only=True)
class RankOptions:
    """Options of a ranking.

    budget: pixels of the whole pool, at most n per image. images: file for a ranking of whole
    images, by one of image_table.WAYS, with reasons if criteria.why. report: file for a page about
    the run. shard: images per part. resume: keep valid parts. any_runtime: whether a complete set
    of parts of another runtime is accepted; parts of two runtimes are never mixed.
    """

    criteria: Criteria = field(default_factory=Criteria)
    budget: int | None = None
    images: Path | None = None
    images_by: str = "mean"
    report: Path | None = None
    shard: int = SHARD
    resume: bool = True
    any_runtime: bool = False


@dataclass(frozen=True)
class Run:
    """A ranking of a pool into `out`: a file, or a folder of parts if its name has no suffix."""

    runtime: Runtime
    pool: Pool
    out: Path
    options: RankOptions = field(default_factory=RankOptions)
    observer: Observer = field(default_factory=Observer)
    executor: Executor = threads.run

    @property
    def folder(self) -> Path:
        """The folder of the manifest and the parts."""
        return parts.folder_of(self.out)

    @property
    def into_parts(self) -> bool:
        """Whether the parts are the result."""
        return parts.is_folder(self.out)

    def shards(self) -> Shards:
        """The shards of the pool as it was listed."""
        return Shards(self.runtime, self.pool, self.folder, self.options.criteria)


def rank_to_file(run: Run) -> Summary:
    """Rank a pool.

    After an interruption the same call continues with the missing shards, unless options.resume is
    false, and gives the same bytes. Raises BadPool if no image could be ranked, BadLabels for
    labels of other images, CannotWrite; for pictures only after the ranking is written.
    """
    start = monotonic()
    _begin(run)
    with instance_lock(run.out, "scorer rank", "wait until it has ended, or choose another --out"):
        return _rank(run, start)


def _rank(run: Run, start: float) -> Summary:
    if not run.options.resume:
        parts.remove(run.folder)
    with parts.removed_if_empty(run.folder):
        shards, strangers = _listed(run)
        kept = _scored(run, shards, range(shards.manifest.shards))
    summary = _counted_again(run, shards)
    summary.kept, summary.strangers = kept, strangers
    _write(run, shards, summary, start)
    if shards.without_pictures is not None:
        raise shards.without_pictures
    return summary


def list_only(run: Run) -> tuple[int, int]:
    """List a pool for tasks that score slices of it; returns its number of shards and of images."""
    _begin(run)
    with parts.removed_if_empty(run.folder):
        shards, _ = _listed(run)
    return shards.manifest.shards, shards.manifest.images


def score_slice(run: Run, slice_: tuple[int, int]) -> int:
    """Score every n-th shard from the i-th on, slice_ = (i, n), as a task of a cluster scheduler.

    Lists the pool if necessary. Returns the number of images scored; rank_to_file joins all parts.
    Raises BadInput for a folder with another pool, or another shard size.
    """
    _begin(run)
    is_listed = (run.folder / manifest.NAME).is_file()
    shards = listed_before(run) if is_listed else _listed(run)[0]
    numbers = range(slice_[0], shards.manifest.shards, slice_[1])
    images = sum(len(shards.manifest.read(number)) for number in numbers)
    return images - _scored(run, shards, numbers)


def listed_before(run: Run) -> Shards:
    """The shards of a pool that was listed before, in this process or another.

    Raises BadInput for a folder without a list, with another pool, or another shard size.
    """
    if not (run.folder / manifest.NAME).is_file():
        raise BadInput(
            f"no pool is listed in {run.folder}", remedy="list it first, in one process alone"
        )
    shards = run.shards()
    there, asked = (
        f"{where} in shards of {size}"
        for where, size in (
            (shards.manifest.where, shards.manifest.shard),
            (run.pool.where, run.options.shard),
        )
    )
    if there != asked:
        raise BadInput(
            f"{run.folder} lists {there}, not {asked}",
            remedy="give the same options, choose another --out, or list anew with --task list",
        )
    return shards


def _begin(run: Run) -> None:
    """Check the options before anything is written, and create the folder of the parts."""
    criteria, options = run.options.criteria, run.options
    check(
        run.runtime.contract,
        n=criteria.n,
        distance=criteria.distance,
        want_map=criteria.want_map,
    )
    checks.check_why(run.runtime.contract, why=criteria.why)
    if options.images is not None:
        table.check_suffix(options.images, "--images-out")
    if run.into_parts and options.budget is not None:
        raise BadInput(
            f"--budget chooses from all parts, and {run.out} is a folder of parts",
            remedy="give --out a file, such as ranking.parquet",
        )
    checks.check_pictures(criteria.pictures, run.pool)
    checks.check_places(run.out, options.images, options.report)
    parts.take(run.folder)


def _listed(run: Run) -> tuple[Shards, int]:
    """List the pool; returns its shards, and the number of labelled images that are not in it."""
    parts.begin(run.folder)
    manifest.write(run.folder, run.pool, shard=run.options.shard, on_image=run.observer.listed)
    shards = run.shards()
    checks.check_exclude(shards)
    return shards, checks.check_labels(shards)


def _scored(run: Run, shards: Shards, numbers: Sequence[int]) -> int:
    """Score the shards of `numbers` without valid parts; returns the number of images in valid
    parts.
    """
    remaining = Remaining.of(shards, numbers)
    missing, stale = remaining.missing, remaining.stale
    if run.options.any_runtime and stale.get(RUNTIMES):
        if len(missing) > stale[RUNTIMES]:
            raise BadInput(
                f"{stale[RUNTIMES]} parts are of another runtime than {shards.runtime.name}, and "
                f"{len(missing) - stale[RUNTIMES]} are missing: two are never mixed",
                remedy="continue with that runtime on a machine that has it (--runtime), or "
                "begin anew with --no-resume",
            )
        missing.clear()
        run.observer.assembled(stale.pop(RUNTIMES))
    if missing:
        parts.begin(shards.folder)
    remaining.run(run.executor, run.observer)
    return remaining.kept


def _counted_again(run: Run, shards: Shards) -> Summary:
    """Summarise the parts, and write the file of skipped images. Raises BadPool if all were
    skipped.
    """
    parts.tidy(run.folder, shards.manifest.shards)
    skipped = parts.skipped_path(run.out)
    summary = summarise(shards, skipped)
    if not summary.ranked:
        if not run.into_parts:
            parts.remove(run.folder)
        raise BadPool(
            f"none of the {summary.images} images could be ranked: {summary.tally()}",
            remedy=f"each is named with its reason in {skipped}",
        )
    return summary


def _write(run: Run, shards: Shards, summary: Summary, start: float) -> None:
    """Write the rankings and the report; the mark of completion comes last."""
    options = run.options
    if not run.into_parts:
        classes = shards.runtime.contract.classes
        table.write(run.out, table.rows(_chosen(run, shards, summary), classes))
    if options.images is not None:
        _write_images(options, shards, summary)
    if options.report is not None:
        images, seconds = _chosen(run, shards, Summary()), monotonic() - start
        title = f"{run.out}: {run.pool.where}"
        sources = _sources(run.pool, shards, [row["image"] for row in summary.first])
        report.write(options.report, title, summary, images, seconds=seconds, sources=sources)
    if run.into_parts:
        _succeed(shards, summary)
    else:
        shards.manifest.close()
        parts.remove(run.folder)


def _write_images(options: RankOptions, shards: Shards, summary: Summary) -> None:
    """Write the ranking of whole images, and put its first rows with reasons into the summary."""
    assert options.images is not None
    reasons, criteria = None, options.criteria
    if criteria.why:
        classes = shards.runtime.contract.classes
        reasons = Reasons.of(_ranked(shards), classes, criteria.labels)
        summary.labelled = reasons.labelled
    first = image_table.write(options.images, _ranked(shards), options.images_by, reasons)
    summary.first = first if criteria.why else []


def _sources(pool: Pool, shards: Shards, names: list[str]) -> dict[str, Callable[[], Encoded]]:
    """Functions that read the encoded images of these names."""
    if not names:
        return {}
    entries = (entry for entry in shards.manifest.entries() if entry.name in names)
    return {entry.name: partial(pool.read, entry) for entry in entries}


def _ranked(shards: Shards) -> Iterator[Ranked]:
    for number in range(shards.manifest.shards):
        yield from (one for one in shards.read(number) if isinstance(one, Ranked))


def _chosen(run: Run, shards: Shards, summary: Summary) -> Iterator[Ranked]:
    """Yield the images with the pixels within the budget, and count them in the summary."""
    summary.pixels = summary.asked = 0
    if run.options.budget is None:
        chosen = _ranked(shards)
    else:
        chosen = within(run.options.budget, lambda: _ranked(shards))
    for one in chosen:
        summary.pixels += len(one.pixels)
        summary.asked += bool(one.pixels)
        yield one


def _succeed(shards: Shards, summary: Summary) -> None:
    with replacing(shards.folder / parts.SUMMARY) as file:
        whole = summary.as_dict() | {
            "graph": shards.runtime.contract.sha256, "shards": shards.manifest.shards
        }  # fmt: skip
        json.dump(whole, file, indent=1)
        file.write("\n")
    with replacing(shards.folder / parts.SUCCESS):
        pass
