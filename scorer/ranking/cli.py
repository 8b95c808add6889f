"""scorer rank: a pool and a graph into a ranking, from the command line."""

import json
import re
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
from scorer.ranking.image_table import WAYS
from scorer.ranking.messages import (
    PoolProgress,
    describe,
    describe_executor,
    tell,
    warn_of_neighbours,
)
from scorer.ranking.request import LIST, Request
from scorer.runtimes import options as runtime_options
from scorer.runtimes.base import Runtime


class _Slice(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """I/N: the I-th, from 0, of N tasks; or "list"."""

    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | str:
        if isinstance(value, tuple) or value == LIST:
            return value  # type: ignore[no-any-return]
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value)
        if not found or not int(found[1]) < int(found[2]):
            self.fail(
                f"{value!r}: write I/N with I from 0 to N - 1, such as 0/10, or {LIST}", param, ctx
            )
        return int(found[1]), int(found[2])


@click.command("rank")
@options.pool()
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
    "--uncertain",
    type=Number(-1e30, 1e30),
    help="Value of the uncertainty map from which on a pixel counts as uncertain, for "
    "--images-by share.  [default: 0 for BalEnt]",
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
@click.option(
    "--executor",
    "--engine",
    "executor",
    type=click.Choice(("threads", "processes", "ray")),
    default="threads",
    show_default=True,
    help="What does the work: threads of this process, several processes, or the actors of "
    "a Ray cluster. --engine is the former name.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 4096),
    default=2,
    show_default=True,
    help="Number of processes or actors. Each of them scores --threads images at the same "
    "time, or one.",
)
@click.option("--address", help="Address of the Ray cluster.  [default: this machine alone]")
@click.option(
    "--gpus",
    type=Number(0, 16),
    default=0.0,
    show_default=True,
    help="Number of GPUs of each actor; with 0.5, two actors share one.",
)
@click.option(
    "--shard",
    type=click.IntRange(1, 65536),
    default=64,
    show_default=True,
    help="Number of images in a part of the ranking: what a thread has to do again when it "
    "is killed.",
)
@click.option(
    "--task",
    type=_Slice(),
    help="Part of the work, for tasks of a cluster scheduler: I/N scores every N-th part "
    "from the I-th on, list only lists the pool. The same command without --task "
    "scores what is missing and writes the ranking.",
)
@options.resume
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as JSON lines, too.")
def rank_command(**given: Any) -> int:
    """Choose the n most informative pixels of every image of a pool.

    \b
    Examples:
      scorer rank --pool ./images --n 5
      scorer rank --pool ./images --labels labels.csv --overlay pictures
      scorer rank --pool ./images --n 20 --budget 1000 --min-distance 12
      scorer rank --pool ./images --out next.csv --against ranking.csv
      scorer rank --pool ./images --images-out images.csv --report report.html
      scorer rank --pool s3://bucket/photographs --out ranking.parquet
      scorer rank --pool ./shards --executor ray --workers 8 --gpus 1 --out /shared/ranking
      scorer rank --pool ./images --json | head

    Exit code 4 says: done, but some images were skipped; each is named with its reason.
    """
    request = Request(**given)
    request.check()
    if request.labels_path is None and (found := request.labels_read):
        say(f"pixels in {found} are not chosen again; to choose from all: --labels none")
    before = None if request.against is None else Standing.read(request.against)
    runtime = request.opened()
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
    """Rank the pool and say what came of it; how many images were skipped."""
    from scorer.ranking.job import rank_to_file  # noqa: PLC0415  # pyarrow takes a while

    begin, pool = monotonic(), open_pool(request.where)
    with progress("images") as bar:
        observer = PoolProgress(bar, "ranking", "scored", *_headline(request, runtime, pool.where))
        summary = rank_to_file(request.run(runtime, pool, observer))
    tell(summary, request.out, request.overlay, seconds=monotonic() - begin)
    return summary.skipped


def _score_slice(request: Request, runtime: Runtime) -> int:
    """Do the part of the work that --task names, and say so."""
    from scorer.ranking import job  # noqa: PLC0415  # pyarrow takes a while

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
    """What is ranked, and what computes it."""
    who = describe_executor(request.executor, request.workers, runtime.workers)
    return f"in {where}, {describe(runtime.contract)}", f"runtime {runtime.name}, {who}"
