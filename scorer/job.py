"""A ranking from start to file: scoring, journal, pictures, and the ranking that appears last."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scorer import overlay, ranking
from scorer.budget import within
from scorer.contract import Contract
from scorer.errors import BadImage, BadInput, BadLabels, BadPool
from scorer.exclusion import mask_name
from scorer.files import check_writable, replacing
from scorer.journal import Journal
from scorer.labels import Labels
from scorer.pool import Pool
from scorer.rank import Ranked, Skipped, check, rank
from scorer.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to rank and how; `pictures` is the folder for overlays.

    budget: pixels of the whole pool, of n per image at most. distance: of the pixels of an image
    from each other, in its own pixels. exclude: a folder of masks of what is never chosen.
    """

    n: int = 5
    budget: int | None = None
    distance: float = 0.0
    seed: int = 0
    batch: int = 1
    labels: Labels | None = None
    exclude: Path | None = None
    pictures: Path | None = None
    resume: bool = True


@dataclass
class Summary:
    """What a job did: every image of the pool is counted in `ranked` or in `skipped`.

    kept: done by an earlier run; asked: images in the ranking; short: images with fewer than n
    pixels left; strangers: labelled images that are not in the pool.
    """

    images: int = 0
    kept: int = 0
    ranked: int = 0
    pixels: int = 0
    asked: int = 0
    short: int = 0
    strangers: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        return Counter(skip.reason for skip in self.skipped)


def rank_to_file(
    runtime: Runtime,
    pool: Pool,
    out: Path,
    options: Options,
    on_image: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Rank `pool` into `out`; `on_image` hears how many images are done.

    Interrupted at any moment, the same call goes on where it stood (unless options.resume is
    false). Raises BadPool if no image at all could be ranked, BadLabels for labels of other images.
    """
    ranking.check_suffix(out)
    check_writable(out)
    _check_replaceable(out)
    check(runtime.contract, n=options.n, want_map=options.pictures is not None)
    _check_pictures(options.pictures, pool)
    strangers = _strangers(options.labels, pool)
    _check_exclude(options.exclude, pool)
    recipe = _recipe(runtime, pool, options)
    with Journal(out, pool, recipe, resume=options.resume) as journal:
        on_image(journal.kept)
        _fill(journal, runtime, pool, options, on_image)
        summary = _summarise(journal, options.n)
        summary.strangers = strangers
        _write_skipped(out, summary)
        if not summary.ranked:
            journal.remove()
            raise BadPool(
                f"none of the {len(pool)} images could be ranked: {_tally(summary)}",
                remedy=f"each is named with its reason in {skipped_path(out)}",
            )
        ranking.write(
            out, ranking.rows(_chosen(journal, options, summary), runtime.contract.classes)
        )
        journal.remove()
    return summary


def skipped_path(out: Path) -> Path:
    """Where the images that could not be ranked are named: ranking.csv → ranking.skipped.csv."""
    return out.with_name(f"{out.stem}.skipped.csv")


def _write_skipped(out: Path, summary: Summary) -> None:
    path = skipped_path(out)
    if not summary.skipped:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "reason", "detail"))
        for skip in summary.skipped:
            name = skip.image.encode("utf-8", "backslashreplace").decode()
            writer.writerow((name, skip.reason, skip.detail))


def _fill(
    journal: Journal,
    runtime: Runtime,
    pool: Pool,
    options: Options,
    on_image: Callable[[int], None],
) -> None:
    results = rank(
        runtime,
        pool,
        n=options.n,
        labels=options.labels,
        seed=options.seed,
        batch=options.batch,
        want_map=options.pictures is not None,
        start=journal.kept,
        distance=options.distance,
        exclude=options.exclude,
    )
    for done, result in enumerate(results, start=journal.kept + 1):
        journal.append(_pictured(result, runtime.contract, pool, options.pictures))
        on_image(done)


def _pictured(
    result: Ranked | Skipped, contract: Contract, pool: Pool, folder: Path | None
) -> Ranked | Skipped:
    if folder is None or isinstance(result, Skipped):
        return result
    try:
        overlay.write(folder, pool.path(result.image), result, contract.colours)
    except BadImage as error:  # it vanished after it was scored
        return Skipped(result.image, error.reason, error.detail)
    return result


def _ranked(journal: Journal) -> Iterator[Ranked]:
    return (result for result in journal.results() if isinstance(result, Ranked))


def _chosen(journal: Journal, options: Options, summary: Summary) -> Iterator[Ranked]:
    """What is asked for, counted."""
    if options.budget is None:
        chosen = _ranked(journal)
    else:
        chosen = within(options.budget, lambda: _ranked(journal))
    for one in chosen:
        summary.pixels += len(one.pixels)
        summary.asked += bool(one.pixels)
        yield one


def _summarise(journal: Journal, n: int) -> Summary:
    summary = Summary(kept=journal.kept)
    for result in journal.results():
        summary.images += 1
        if isinstance(result, Skipped):
            summary.skipped.append(result)
        else:
            summary.ranked += 1
            summary.short += len(result.pixels) < n
    return summary


def _tally(summary: Summary) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in summary.reasons.most_common())


def _strangers(labels: Labels | None, pool: Pool) -> int:
    """How many labelled images are not in the pool; all of them: these are other labels."""
    if labels is None or not labels.clicks:
        return 0
    names = set(pool.names)
    missing = [name for name in labels.clicks if name not in names]
    if len(missing) == len(labels.clicks):
        raise BadLabels(
            f"none of the {len(missing)} images that the labels name is in the pool; "
            f"they name for example {missing[0]!r}, the pool {pool.names[0]!r}",
            remedy="image names are paths below --pool; give the folder that they start from",
        )
    return len(missing)


def _check_exclude(folder: Path | None, pool: Pool) -> None:
    """Refuse a folder of masks of other images, which would exclude nothing in silence."""
    if folder is not None and not any((folder / mask_name(n)).is_file() for n in pool.names):
        raise BadInput(
            f"--exclude {folder} has no mask of any image of the pool, such as "
            f"{mask_name(pool.names[0])}",
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


def _check_pictures(folder: Path | None, pool: Pool) -> None:
    if folder is None or not pool.searched:
        return
    if folder.resolve().is_relative_to(pool.root.resolve()):
        raise BadInput(
            f"--overlay {folder} lies inside the pool: the next run would rank the pictures",
            remedy=f"choose a folder outside {pool.root}",
        )


def _recipe(runtime: Runtime, pool: Pool, options: Options) -> dict[str, Any]:
    """All that the result depends on, beside the images."""
    labels = options.labels.clicks if options.labels else {}
    flat = repr(sorted((name, list(clicks)) for name, clicks in labels.items()))
    return {
        "contract": runtime.contract.sha256,
        "pool": str(pool.root.resolve()),
        "n": options.n,
        "seed": options.seed,
        "distance": options.distance,
        "exclude": str(options.exclude),
        "runtime": runtime.name,
        "pictures": str(options.pictures),
        "labels": hashlib.sha256(flat.encode("utf-8", "surrogateescape")).hexdigest(),
    }
