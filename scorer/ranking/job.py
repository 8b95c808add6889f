"""A ranking from a pool to its file: listed, scored shard by shard, put together at the end."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from scorer.errors import BadInput, BadPool
from scorer.files import replacing
from scorer.pools import Pool
from scorer.ranking import checks, image_table, manifest, parts, report, table
from scorer.ranking.executors import Engine, threads
from scorer.ranking.part import RUNTIMES
from scorer.ranking.progress import Listener
from scorer.ranking.shard import Shards, Task
from scorer.ranking.summary import Summary, summarise
from scorer.runtimes.base import Runtime
from scorer.selection.budget import within
from scorer.selection.select import Ranked, check

SHARD = 64


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to rank, and what of it to ask for.

    budget: pixels of the whole pool, of n per image at most. images: where a ranking of whole
    images goes, by one of image_table.WAYS. report: where a page about the run goes. shard:
    images of a part. resume: keep the parts that still hold. any_runtime: parts that another
    runtime has scored are put together, if none is missing; never are two mixed.
    """

    task: Task = field(default_factory=Task)
    budget: int | None = None
    images: Path | None = None
    images_by: str = "mean"
    report: Path | None = None
    shard: int = SHARD
    resume: bool = True
    any_runtime: bool = False


def rank_to_file(
    runtime: Runtime,
    pool: Pool,
    out: Path,
    options: Options,
    listener: Listener | None = None,
    engine: Engine = threads.run,
) -> Summary:
    """Rank a pool into `out`: a file, or a folder of parts if its name has no suffix.

    Cut at any moment, the same call goes on with the shards that are missing (unless options.resume
    is false), and ends in the same bytes. Raises BadPool if no image at all could be ranked,
    BadLabels for labels of other images.
    """
    listener, start = listener or Listener(), monotonic()
    folder = _begun(runtime, pool, out, options)
    if not options.resume:
        parts.remove(folder)
    with parts.removed_if_empty(folder):
        shards, strangers = _listed(runtime, pool, folder, options, listener)
        kept = _scored(shards, range(shards.manifest.shards), options, listener, engine)
    summary = _counted_again(shards, out)
    summary.kept, summary.strangers = kept, strangers
    _write(shards, out, options, summary, start)
    return summary


def list_only(
    runtime: Runtime,
    pool: Pool,
    out: Path,
    options: Options,
    listener: Listener | None = None,
) -> tuple[int, int]:
    """List a pool for tasks that score slices of it; how many shards and images it has."""
    folder = _begun(runtime, pool, out, options)
    with parts.removed_if_empty(folder):
        shards, _ = _listed(runtime, pool, folder, options, listener or Listener())
    return shards.manifest.shards, shards.manifest.images


def score_slice(
    runtime: Runtime,
    pool: Pool,
    out: Path,
    options: Options,
    slice_: tuple[int, int],
    listener: Listener | None = None,
    engine: Engine = threads.run,
) -> int:
    """Score every n-th shard from the i-th on, slice_ = (i, n), for tasks of a cluster's own queue.

    Lists the pool if nobody has. Returns how many images were scored; rank_to_file puts everything
    together. Raises BadInput for a folder where another pool is listed, or in other shards.
    """
    listener, folder = listener or Listener(), _begun(runtime, pool, out, options)
    if (folder / manifest.NAME).is_file():
        shards = Shards(runtime, pool, folder, options.task)
    else:
        shards, _ = _listed(runtime, pool, folder, options, listener)
    there, asked = (
        f"{one[0]} in shards of {one[1]}"
        for one in ((shards.manifest.where, shards.manifest.shard), (pool.where, options.shard))
    )
    if there != asked:
        raise BadInput(
            f"{folder} lists {there}, not {asked}",
            remedy="give the same options, choose another --out, or list anew with --task list",
        )
    numbers = range(slice_[0], shards.manifest.shards, slice_[1])
    images = sum(len(shards.manifest.read(number)) for number in numbers)
    return images - _scored(shards, numbers, options, listener, engine)


def _begun(runtime: Runtime, pool: Pool, out: Path, options: Options) -> Path:
    """The folder of the parts; all that can be refused is refused before anything is written."""
    task = options.task
    check(runtime.contract, n=task.n, distance=task.distance, want_map=task.want_map)
    if options.images is not None:
        table.check_suffix(options.images, "--images-out")
    if parts.is_folder(out) and options.budget is not None:
        raise BadInput(
            f"--budget chooses from all parts, and {out} is a folder of parts",
            remedy="give --out a file, such as ranking.parquet",
        )
    checks.check_pictures(task.pictures, pool)
    checks.check_places(out, options.images, options.report)
    folder = parts.folder_of(out)
    parts.take(folder)
    return folder


def _listed(
    runtime: Runtime, pool: Pool, folder: Path, options: Options, listener: Listener
) -> tuple[Shards, int]:
    """The shards of a pool, as it is now; how many labelled images are not in it."""
    parts.begin(folder)
    manifest.write(folder, pool, shard=options.shard, on_image=listener.listed)
    shards = Shards(runtime, pool, folder, options.task)
    checks.check_exclude(shards)
    return shards, checks.check_labels(shards)


def _scored(
    shards: Shards, numbers: Sequence[int], options: Options, listener: Listener, engine: Engine
) -> int:
    """Score those of some shards whose parts do not hold; how many images the others have."""
    changed = {number: shards.changed(number) for number in numbers}
    missing = [number for number in numbers if changed[number] is not None]
    stale = {word: list(changed.values()).count(word) for word in filter(None, changed.values())}
    if options.any_runtime and stale.get(RUNTIMES):
        if len(missing) > stale[RUNTIMES]:
            raise BadInput(
                f"{stale[RUNTIMES]} parts are of another runtime than {shards.runtime.name}, and "
                f"{len(missing) - stale[RUNTIMES]} are missing: two are never mixed",
                remedy="go on with --runtime where that one is, or begin anew with --no-resume",
            )
        missing = []
        listener.assembled(stale.pop(RUNTIMES))
    sizes = {number: len(shards.manifest.read(number)) for number in numbers}
    kept = sum(sizes.values()) - sum(sizes[number] for number in missing)
    listener.begun(sum(sizes.values()), stale)
    listener.scored(kept)
    if missing:
        parts.begin(shards.folder)
        engine(shards, missing, _counted(listener, kept))
    return kept


def _counted(listener: Listener, kept: int) -> Callable[[int], None]:
    """Adds up how many images are done."""
    done = kept

    def on_images(count: int) -> None:
        nonlocal done
        done += count
        listener.scored(done)

    return on_images


def _counted_again(shards: Shards, out: Path) -> Summary:
    """What is in the parts; the skipped have a file. Raises BadPool where nothing else is."""
    parts.tidy(shards.folder, shards.manifest.shards)
    summary = summarise(shards, parts.skipped_path(out))
    if not summary.ranked:
        if not parts.is_folder(out):
            parts.remove(shards.folder)
        raise BadPool(
            f"none of the {summary.images} images could be ranked: {summary.tally()}",
            remedy=f"each is named with its reason in {parts.skipped_path(out)}",
        )
    return summary


def _write(shards: Shards, out: Path, options: Options, summary: Summary, start: float) -> None:
    """The rankings and the report; at the very end, what says that all is there."""
    if not parts.is_folder(out):
        classes = shards.runtime.contract.classes
        table.write(out, table.rows(_chosen(shards, options, summary), classes))
    if options.images is not None:
        image_table.write(options.images, _ranked(shards), options.images_by)
    if options.report is not None:
        images, seconds = _chosen(shards, options, Summary()), monotonic() - start
        title = f"{out}: {shards.pool.where}"
        report.write(options.report, title, summary, images, seconds=seconds)
    if parts.is_folder(out):
        _succeed(shards, summary)
    else:
        shards.manifest.close()
        parts.remove(shards.folder)


def _ranked(shards: Shards) -> Iterator[Ranked]:
    for number in range(shards.manifest.shards):
        yield from (one for one in shards.read(number) if isinstance(one, Ranked))


def _chosen(shards: Shards, options: Options, summary: Summary) -> Iterator[Ranked]:
    """What is asked for, counted."""
    summary.pixels = summary.asked = 0
    if options.budget is None:
        chosen = _ranked(shards)
    else:
        chosen = within(options.budget, lambda: _ranked(shards))
    for one in chosen:
        summary.pixels += len(one.pixels)
        summary.asked += bool(one.pixels)
        yield one


def _succeed(shards: Shards, summary: Summary) -> None:
    with replacing(shards.folder / parts.SUMMARY) as file:
        told = summary.told() | {
            "graph": shards.runtime.contract.sha256, "shards": shards.manifest.shards
        }  # fmt: skip
        json.dump(told, file, indent=1)
        file.write("\n")
    with replacing(shards.folder / parts.SUCCESS):
        pass
