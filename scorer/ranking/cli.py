"""scorer rank: a pool and a graph into a ranking, from the command line."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from scorer import labels, options
from scorer.console import Number, cores, progress, say
from scorer.contract import Contract
from scorer.errors import SOME_SKIPPED, BadInput
from scorer.ranking import table
from scorer.ranking.compare import Standing
from scorer.ranking.image_table import WAYS
from scorer.ranking.messages import Told, in_words, tell, warn_of_neighbours, who
from scorer.runtimes import choose, open_graph

if TYPE_CHECKING:
    from scorer.ranking.executors import Engine
    from scorer.ranking.shard import Shards
    from scorer.ranking.work import Work


_LIST = "list"


class _Slice(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """I/N: the I-th, from 0, of N tasks; or "list"."""

    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | str:
        if isinstance(value, tuple) or value == _LIST:
            return value  # type: ignore[no-any-return]
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value)
        if not found or not int(found[1]) < int(found[2]):
            self.fail(
                f"{value!r}: write I/N with I from 0 to N - 1, such as 0/10, or {_LIST}", param, ctx
            )
        return int(found[1]), int(found[2])


@click.command("rank")
@options.pool()
@options.n
@click.option(
    "--budget",
    type=click.IntRange(1),
    help="Pixels of the whole pool: the best of all, n of an image at most.  [default: all]",
)
@options.min_distance
@options.graph
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    help="labels.db, or a CSV image,row,col,label: pixels already asked, never chosen again.",
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of masks, <image>.png at the image's size: what is not 0 is never chosen.",
)
@click.option(
    "--out",
    type=options.FILE,
    default="ranking.csv",
    show_default=True,
    help="Where the ranking goes: .csv, .jsonl or .parquet; a name without suffix is a folder of "
    "Parquet parts.",
)
@click.option(
    "--overlay",
    type=options.FILE,
    help="Folder for pictures: each photograph with its n pixels beside its map.",
)
@click.option(
    "--images-out",
    type=options.FILE,
    help="Also rank whole images into this file, for teams that label all of an image.",
)
@click.option(
    "--images-by",
    type=click.Choice(tuple(WAYS)),
    default="mean",
    show_default=True,
    help="mean or median of the scores of the image's n pixels; share: of its pixels that are "
    "uncertain.",
)
@click.option(
    "--uncertain",
    type=Number(-1e30, 1e30),
    help="From this value of the map on a pixel is uncertain.  [default: 0, of BalEnt]",
)
@click.option(
    "--against", type=options.FILE, help="An earlier ranking of this pool: say what has moved."
)
@click.option("--report", type=options.FILE, help="A page about the run: rates, skipped, scores.")
@options.seed
@click.option(
    "--batch",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Images handed to the runtime at a time; the ranking does not depend on it.",
)
@options.runtime
@options.precision
@options.threads
@click.option(
    "--engine",
    type=click.Choice(("threads", "processes", "ray")),
    default="threads",
    show_default=True,
    help="What works: threads of this process, processes, or actors of a Ray cluster.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 4096),
    default=2,
    show_default=True,
    help="Processes, or actors, for these engines; each has --threads of its own, or else one.",
)
@click.option("--address", help="Of a Ray cluster.  [default: this machine alone]")
@click.option(
    "--gpus",
    type=Number(0, 16),
    default=0.0,
    show_default=True,
    help="Graphics cards of an actor; 0.5: two share one.",
)
@click.option(
    "--shard",
    type=click.IntRange(1, 65536),
    default=64,
    show_default=True,
    help="Images of a part: what a thread loses at most when a worker dies.",
)
@click.option(
    "--task",
    type=_Slice(),
    help="Score only every N-th part from the I-th on, or only list the pool for such tasks; "
    "without it, the rest is scored and all put together.",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on where an interrupted run of the same command stopped.",
)
@click.option("--json", "as_json", is_flag=True, help="Also print the ranking as JSON lines.")
def rank_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    where: str,
    n: int,
    budget: int | None,
    min_distance: float | None,
    graph: Path,
    labels_path: Path | None,
    exclude: Path | None,
    out: Path,
    overlay: Path | None,
    images_out: Path | None,
    images_by: str,
    uncertain: float | None,
    against: Path | None,
    report: Path | None,
    seed: int,
    batch: int,
    runtime: str,
    precision: str,
    threads: int | None,
    engine: str,
    workers: int,
    address: str | None,
    gpus: float,
    shard: int,
    task: tuple[int, int] | str | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Choose the n most informative pixels of every image of a pool.

    \b
    Examples:
      scorer rank --pool ./images --n 5
      scorer rank --pool ./images --labels labels.csv --overlay pictures
      scorer rank --pool ./images --n 20 --budget 1000 --min-distance 12
      scorer rank --pool ./images --out next.csv --against ranking.csv
      scorer rank --pool ./images --images-out images.csv --report report.html
      scorer rank --pool s3://bucket/photographs --out ranking.parquet
      scorer rank --pool ./shards --engine ray --workers 8 --gpus 1 --out /shared/ranking
      scorer rank --pool ./images --json | head

    Exit code 4 says: done, but some images were skipped; each is named with its reason.
    """
    from scorer.pools import open_pool  # noqa: PLC0415
    from scorer.ranking import job, parts  # noqa: PLC0415  # pyarrow takes a while
    from scorer.ranking.shard import Task  # noqa: PLC0415

    if parts.is_folder(out) and (against is not None or as_json):
        raise BadInput(
            f"{out} is a folder of parts, which --against and --json do not read",
            remedy="give --out a file, such as ranking.parquet",
        )
    _check_effect(
        task is not None,
        budget=budget, images_out=images_out, against=against, report=report,
        no_resume=not resume or None, json=as_json or None,
    )  # fmt: skip
    before = None if against is None else Standing.read(against)
    name = choose(runtime, precision, graph)
    mine = threads or cores() if engine == "threads" else 1
    opened = open_graph(name, graph, workers=mine, precision=precision)
    contract, shares = opened.contract, images_out is not None and images_by == "share"
    warn_of_neighbours(contract, min_distance)
    pool = open_pool(where)
    wanted = job.Options(
        task=Task(
            n=n,
            distance=min_distance,
            seed=seed,
            labels=labels.read(labels_path, contract.classes) if labels_path else None,
            exclude=exclude,
            pictures=overlay,
            uncertain=_uncertain(uncertain, contract) if shares else None,
            batch=batch,
        ),
        budget=budget,
        images=images_out,
        images_by=images_by,
        report=report,
        shard=shard,
        resume=resume,
        any_runtime=runtime == "auto",
    )
    computes = _engine(
        engine,
        partial(_work, graph=graph, precision=precision, runtime=name, threads=threads),
        workers=workers, address=address, gpus=gpus,
    )  # fmt: skip
    by = f"runtime {opened.name}, {who(engine, workers, opened.workers)}"
    begin = monotonic()
    with progress("images") as bar:
        told = Told(bar, f"in {pool.where}, {in_words(contract)}", by)
        if task == _LIST:
            shards, count = job.list_only(opened, pool, out, wanted, told)
        elif isinstance(task, tuple):
            count = job.score_slice(opened, pool, out, wanted, task, told, computes)
        else:
            summary = job.rank_to_file(opened, pool, out, wanted, told, computes)
    if task is not None:
        what = "scored" if isinstance(task, tuple) else f"in {shards} parts listed"
        folder = parts.folder_of(out)
        say(f"task {_words(task)}: {count} images {what}, in {folder}", style="green")
        return 0
    tell(summary, out, overlay, seconds=monotonic() - begin)
    if before is not None:
        for line in before.until(Standing.read(out)).told():
            say(line)
    if as_json:
        for row in table.read(out):
            click.echo(json.dumps(row))
    return SOME_SKIPPED if summary.skipped else 0


def _work(
    shards: "Shards",
    *,
    graph: Path,
    runtime: str,
    precision: str,
    threads: int | None,
) -> "Work":
    """With paths that hold in another folder, too."""
    from scorer.ranking.work import Work  # noqa: PLC0415

    task = shards.task
    return Work(
        graph=graph.absolute(), runtime=runtime, precision=precision, workers=threads or 1,
        sha256=shards.runtime.contract.sha256, folder=shards.folder.absolute(),
        pool=shards.pool.absolute(),
        task=replace(
            task,
            pictures=task.pictures and task.pictures.absolute(),
            exclude=task.exclude and task.exclude.absolute(),
        ),
    )  # fmt: skip


def _engine(
    name: str,
    work: "Callable[[Shards], Work]",
    *,
    workers: int,
    address: str | None,
    gpus: float,
) -> "Engine":
    from scorer.ranking.executors import threads  # noqa: PLC0415
    from scorer.ranking.executors.processes import Processes  # noqa: PLC0415
    from scorer.ranking.executors.ray import Cluster  # noqa: PLC0415

    if name == "processes":
        return Processes(workers, work)
    if name == "ray":
        return Cluster(work, address=address, actors=workers, gpus=gpus)
    return threads.run


def _uncertain(given: float | None, contract: Contract) -> float:
    if given is not None:
        return given
    if contract.acquisition not in {"balentacq", "balent"}:
        raise BadInput(
            f"from which value of {contract.acquisition} on is a pixel uncertain?",
            remedy="say it with --uncertain",
        )
    return 0.0


def _words(task: tuple[int, int] | str) -> str:
    return task if isinstance(task, str) else f"{task[0]} of {task[1]}"


def _check_effect(is_task: bool, **given: object) -> None:
    """Refuse options that a task would pass over."""
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if is_task and names:
        raise BadInput(
            f"{', '.join(names)}: of no effect with --task",
            remedy="give it to the last command, which puts all together without --task",
        )
