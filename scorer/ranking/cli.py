"""The command scorer rank."""

import json
from pathlib import Path
from time import monotonic
from typing import Any

import click

from scorer import options
from scorer.console import Number, progress, say
from scorer.errors import SOME_SKIPPED
from scorer.pools import open_pool
from scorer.ranking import table
from scorer.ranking.compare import Standing
from scorer.ranking.executors import options as executor_options
from scorer.ranking.executors.options import LIST
from scorer.ranking.image_table import WAYS
from scorer.ranking.messages import (
    PoolProgress,
    describe,
    describe_executor,
    tell,
    tell_labels,
    warn_of_neighbours,
)
from scorer.ranking.request import Request
from scorer.runtimes import options as runtime_options
from scorer.runtimes.base import Runtime


@click.command("rank")
@options.pool(bare=True)
@options.n
@click.option(
    "--budget",
    type=click.IntRange(1),
    help="Number of pixels to choose in the whole pool: the best ones, at most n of each "
    "image.  [default: n of every image]",
)
@options.min_distance
@options.graph
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    help="Pixels that were asked already and are not chosen again: labels.db, or a CSV "
    "with the columns image,row,col,label; none: all are chosen from.  [default: labels.db if it "
    "is there]",
)
@options.on_conflict("a CSV gives")
@click.option(
    "--exclude",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of masks of pixels that are never chosen: <image>.png, at the size of the "
    "image; every value except 0 excludes its pixel.",
)
@click.option(
    "--out",
    type=options.FILE,
    default="ranking.csv",
    show_default=True,
    help="File that the ranking is written to: .csv, .jsonl or .parquet. A name without a "
    "suffix is a folder of Parquet parts.",
)
@click.option(
    "--overlay",
    type=options.FILE,
    help="Folder that pictures are written to: each photograph with its chosen pixels, "
    "beside its uncertainty map.",
)
@click.option(
    "--images-out",
    type=options.FILE,
    help="File that a ranking of whole images is written to, for teams that label all of an image.",
)
@click.option(
    "--images-by",
    type=click.Choice(tuple(WAYS)),
    default="mean",
    show_default=True,
    help="Score of a whole image: the mean or the median score of its chosen pixels, or "
    "the share of its pixels that are uncertain.",
)
@click.option(
    "--why",
    is_flag=True,
    help="Say of every whole image in --images-out why it is worth labels: its mean "
    "uncertainty, the share of its pixels that are uncertain, the rare classes that are "
    "predicted in it, and whether it is unlike the images in --labels.",
)
@click.option(
    "--uncertain",
    type=Number(-1e30, 1e30),
    help="Value of the uncertainty map from which on a pixel counts as uncertain, for "
    "--images-by share and --why.  [default: 0 for BalEnt]",
)
@click.option(
    "--against",
    type=options.FILE,
    help="Earlier ranking of the same pool: print which pixels and images have moved.",
)
@click.option(
    "--report",
    type=options.FILE,
    help="HTML page that is written about the run: its speed, the images that were "
    "skipped, the distribution of the scores.",
)
@options.seed
@click.option(
    "--batch",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Number of images that the runtime is given at a time. The ranking does not depend on it.",
)
@runtime_options.runtime
@runtime_options.precision
@runtime_options.threads
@executor_options.executor
@executor_options.workers
@executor_options.address
@executor_options.gpus
@executor_options.shard
@executor_options.task
@options.resume
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as JSON lines, too.")
def rank_command(**given: Any) -> int:
    """Choose the n most informative pixels of every image of a pool, PLACE or --pool.

    \b
    Examples:
      scorer rank --pool ./images --n 5
      scorer rank --pool ./images --labels labels.csv --overlay pictures
      scorer rank --pool ./images --n 20 --budget 1000 --min-distance 12
      scorer rank --pool ./images --out next.csv --against ranking.csv
      scorer rank --pool ./images --images-out images.csv --report report.html
      scorer rank --pool ./images --images-out images.csv --labels labels.csv --why
      scorer rank --pool s3://bucket/photographs --out ranking.parquet
      scorer rank --pool ./shards --executor ray --workers 8 --gpus 1 --out /shared/ranking
      scorer rank --pool ./images --json | head

    Exit code 4 means that some images were skipped; each is named with its reason.
    """
    request = Request(**given)
    request.check()
    before = None if request.against is None else Standing.read(request.against)
    runtime = request.opened()
    if request.labels_path is None:
        tell_labels(request.labels_read, runtime.contract.classes)
    warn_of_neighbours(runtime.contract, request.min_distance)
    if request.task is not None:
        return _score_slice(request, runtime)
    skipped = _rank(request, runtime)
    if before is not None:
        for line in before.until(Standing.read(request.out)).lines():
            say(line)
    if request.as_json:
        for row in table.read(request.out):
            click.echo(json.dumps(row))
    return SOME_SKIPPED if skipped else 0


def _rank(request: Request, runtime: Runtime) -> int:
    """Rank the pool and report the result; returns the number of skipped images."""
    from scorer.ranking.job import rank_to_file  # noqa: PLC0415  # pyarrow loads slowly

    begin, pool = monotonic(), open_pool(request.where)
    with progress("images") as bar:
        observer = PoolProgress(bar, "ranking", "scored", *_headline(request, runtime, pool.where))
        summary = rank_to_file(request.run(runtime, pool, observer))
    tell(summary, request.out, request.overlay, seconds=monotonic() - begin)
    return summary.skipped


def _score_slice(request: Request, runtime: Runtime) -> int:
    """Do the part of the work that --task names, and report it."""
    from scorer.ranking import job  # noqa: PLC0415  # pyarrow loads slowly

    pool = open_pool(request.where)
    with progress("images") as bar:
        observer = PoolProgress(bar, "ranking", "scored", *_headline(request, runtime, pool.where))
        run = request.run(runtime, pool, observer)
        if isinstance(request.task, tuple):
            count, done = job.score_slice(run, request.task), "scored"
            name = f"{request.task[0]} of {request.task[1]}"
        else:
            shards, count = job.list_only(run)
            done, name = f"in {shards} parts listed", LIST
    say(f"task {name}: {count} images {done}, in {run.folder}", style="green")
    return 0


def _headline(request: Request, runtime: Runtime, where: str) -> tuple[str, str]:
    """Texts about what is ranked, and what computes it."""
    who = describe_executor(request.executor, request.workers, runtime.workers)
    return f"in {where}, {describe(runtime.contract)}", f"runtime {runtime.name}, {who}"
