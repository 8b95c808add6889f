"""A ranking from a pool to its file: listed, scored shard by shard, put together at the end."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from scorer import image_ranking, manifest, part, ranking, report
from scorer.budget import within
from scorer.engines import Engine, threads
from scorer.errors import BadInput, BadLabels, BadPool, Failure
from scorer.exclusion import mask_name
from scorer.files import cannot_write, check_writable, replacing
from scorer.listener import Listener
from scorer.pools import Collection
from scorer.pools.folder import Folder
from scorer.rank import Ranked, check
from scorer.runtime import Runtime
from scorer.shard import Shards, Task
from scorer.summary import Summary, summarise

SHARD = 64
SUCCESS, SUMMARY, _SKIPPED = "_SUCCESS", "_summary.json", "_skipped.csv"
_OURS = (manifest.NAME, SUCCESS, SUMMARY, _SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to rank, and what of it to ask for.

    budget: pixels of the whole pool, of n per image at most. images: where a ranking of whole
    images goes, by one of image_ranking.WAYS. report: where a page about the run goes. shard:
    images that are lost at most when a worker dies. resume: keep the parts that still hold.
    """

    task: Task = field(default_factory=Task)
    budget: int | None = None
    images: Path | None = None
    images_by: str = "mean"
    report: Path | None = None
    shard: int = SHARD
    resume: bool = True


def rank_to_file(
    runtime: Runtime,
    pool: Collection,
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
    listener, begin = listener or Listener(), monotonic()
    folder = parts_folder(out)
    _check(runtime, pool, out, options)
    if not options.resume:
        _remove(folder)
    with _empty_removed(folder):
        shards = _listed(runtime, pool, folder, options, listener)
        strangers = _strangers(shards)
        _check_exclude(shards)
        missing, left, stale = _missing(shards, range(shards.manifest.shards))
        kept = shards.manifest.images - left
        listener.begun(shards.manifest.images, stale)
        listener.scored(kept)
        engine(shards, missing, _counted(listener, kept))
    summary = _counted_again(shards, out)
    summary.kept, summary.strangers = kept, strangers
    _write(shards, out, options, summary, begin)
    return summary


def score_slice(
    runtime: Runtime,
    pool: Collection,
    out: Path,
    options: Options,
    slice_: tuple[int, int],
    listener: Listener | None = None,
    engine: Engine = threads.run,
) -> int:
    """Score every n-th shard from the i-th on, slice_ = (i, n), for tasks of a cluster's own queue.

    Whoever comes first lists the pool. Returns how many images were scored; rank_to_file puts
    everything together. Raises BadInput for a folder where another pool is listed.
    """
    listener, folder = listener or Listener(), parts_folder(out)
    _check(runtime, pool, out, options)
    if (folder / manifest.NAME).is_file():
        shards = Shards(runtime, pool, folder, options.task)
    else:
        shards = _listed(runtime, pool, folder, options, listener)
    if shards.manifest.where != pool.where:
        raise BadInput(
            f"{folder} lists {shards.manifest.where}, not {pool.where}",
            remedy="choose another --out for another pool",
        )
    first, step = slice_
    missing, images, stale = _missing(shards, range(first, shards.manifest.shards, step))
    listener.begun(images, stale)
    engine(shards, missing, _counted(listener, 0))
    return images


def parts_folder(out: Path) -> Path:
    """Where the parts of a ranking are until it is whole; a folder that is asked for keeps them."""
    return out if is_folder(out) else out.with_name(f"{out.name}.parts")


def is_folder(out: Path) -> bool:
    return not out.suffix


def skipped_path(out: Path) -> Path:
    """Where the images that could not be ranked are named: ranking.csv → ranking.skipped.csv."""
    return out / _SKIPPED if is_folder(out) else out.with_name(f"{out.stem}.skipped.csv")


def _check(runtime: Runtime, pool: Collection, out: Path, options: Options) -> None:
    """All that can be refused before anything is written."""
    task = options.task
    check(runtime.contract, n=task.n, want_map=task.want_map)
    if options.images is not None:
        ranking.check_suffix(options.images)
    if task.pictures is not None and isinstance(pool, Folder):
        _check_pictures(task.pictures, pool.root)
    if is_folder(out):
        if options.budget is not None:
            raise BadInput(
                f"--budget chooses from all parts, and {out} is a folder of parts",
                remedy="give --out a file, such as ranking.parquet",
            )
        _check_ours(out)
    else:
        ranking.check_suffix(out)
        check_writable(out)
        _check_replaceable(out)


def _listed(
    runtime: Runtime, pool: Collection, folder: Path, options: Options, listener: Listener
) -> Shards:
    """The shards of a pool, listed as it is now; until they are scored, no ranking is whole."""
    with cannot_write(folder):
        (folder / SUCCESS).unlink(missing_ok=True)
    manifest.write(folder, pool, shard=options.shard, on_image=listener.listed)
    return Shards(runtime, pool, folder, options.task)


def _missing(shards: Shards, numbers: Sequence[int]) -> tuple[list[int], int, dict[str, int]]:
    """Those without a part that holds; their images; what has changed, and how often."""
    missing: list[int] = []
    images, stale = 0, dict[str, int]()
    for number in numbers:
        entries = shards.manifest.read(number)
        found = part.footer_of(shards.folder, number)
        changed = None if found is None else shards.stamp(entries).differs(found[0])
        if found is not None and changed is None:
            continue
        missing.append(number)
        images += len(entries)
        if changed is not None:
            stale[changed] = stale.get(changed, 0) + 1
    return missing, images, stale


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
    _remove_beyond(shards)
    summary = summarise(shards, skipped_path(out))
    if not summary.ranked:
        if not is_folder(out):
            _remove(shards.folder)
        raise BadPool(
            f"none of the {summary.images} images could be ranked: {summary.tally()}",
            remedy=f"each is named with its reason in {skipped_path(out)}",
        )
    return summary


def _write(shards: Shards, out: Path, options: Options, summary: Summary, begin: float) -> None:
    """The rankings and the report; at the very end, what says that all is there."""
    if not is_folder(out):
        classes = shards.runtime.contract.classes
        ranking.write(out, ranking.rows(_chosen(shards, options, summary), classes))
    if options.images is not None:
        image_ranking.write(options.images, _ranked(shards), options.images_by)
    if options.report is not None:
        images, seconds = _chosen(shards, options, Summary()), monotonic() - begin
        report.write(options.report, str(out), summary, images, seconds=seconds)
    if is_folder(out):
        _succeed(shards, summary)
    else:
        _remove(shards.folder)


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
    with replacing(shards.folder / SUMMARY) as file:
        told = summary.told() | {
            "graph": shards.runtime.contract.sha256, "shards": shards.manifest.shards
        }  # fmt: skip
        json.dump(told, file, indent=1)
        file.write("\n")
    with replacing(shards.folder / SUCCESS):
        pass


def _remove_beyond(shards: Shards) -> None:
    """Parts of a pool that had more shards, and what killed processes have left."""
    for found in shards.folder.glob("part-*.parquet"):
        if found >= part.path(shards.folder, shards.manifest.shards):
            found.unlink()
    for found in shards.folder.glob(".*.tmp"):
        found.unlink()


def _remove(folder: Path) -> None:
    """Of what is in it, only what is ours."""
    with cannot_write(folder):
        for pattern in ("part-*.parquet", ".*.tmp"):
            for found in folder.glob(pattern):
                found.unlink()
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _empty_removed(folder: Path) -> Iterator[None]:
    """Of a run that is refused before it has scored anything, nothing stays."""
    try:
        yield
    except Failure:
        if not any(folder.glob("part-*.parquet")):
            _remove(folder)
        raise


def _strangers(shards: Shards) -> int:
    """How many labelled images are not in the pool; all of them: these are other labels."""
    labels = shards.task.labels
    if labels is None or not labels.clicks:
        return 0
    missing = set(labels.clicks).difference(shards.manifest.names())
    if len(missing) == len(labels.clicks):
        raise BadLabels(
            f"none of the {len(missing)} images that the labels name is in the pool; "
            f"they name for example {min(missing)!r}, the pool {next(shards.manifest.names())!r}",
            remedy="image names are paths below --pool; give the folder that they start from",
        )
    return len(missing)


def _check_exclude(shards: Shards) -> None:
    """Refuse a folder of masks of other images, which would exclude nothing in silence."""
    folder = shards.task.exclude
    if folder is None:
        return
    if not any((folder / mask_name(name)).is_file() for name in shards.manifest.names()):
        raise BadInput(
            f"--exclude {folder} has no mask of any image of the pool, such as "
            f"{mask_name(next(shards.manifest.names()))}",
            remedy="a mask has the path of its image below --pool, with .png",
        )


def _check_replaceable(out: Path) -> None:
    """Refuse to write over somebody's clicks: a ranking.csv to which a label column was added."""
    if out.suffix.lower() == ".csv" and out.is_file():
        with out.open(encoding="utf-8", errors="replace") as file:
            header = file.readline().strip().split(",")
        if "label" in header:
            raise BadInput(
                f"{out} has a column of labels, which a new ranking would replace",
                remedy="keep it under another name, or write the ranking elsewhere with --out",
            )


def _check_ours(folder: Path) -> None:
    """Refuse somebody's folder of other things."""
    there = list(folder.glob("[!.]*")) if folder.is_dir() else []  # another task may be listing
    if there and not (folder / manifest.NAME).is_file():
        raise BadInput(
            f"{folder} is a folder with other files in it, not with parts of a ranking",
            remedy="choose another name with --out, or a file such as ranking.csv",
        )
    with cannot_write(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _check_pictures(folder: Path, root: Path) -> None:
    if folder.resolve().is_relative_to(root.resolve()):
        raise BadInput(
            f"--overlay {folder} lies inside the pool: the next run would rank the pictures",
            remedy=f"choose a folder outside {root}",
        )
