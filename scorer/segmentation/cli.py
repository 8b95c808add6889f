"""scorer segment: a pool and a plain network into masks, from the command line."""

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from scorer import options
from scorer.console import Number, cores, progress, say
from scorer.errors import SOME_SKIPPED
from scorer.pools import open_pool
from scorer.ranking.messages import PoolProgress

if TYPE_CHECKING:
    from scorer.ranking.executors import Executor
    from scorer.segmentation.job import Outcome
    from scorer.segmentation.network import PlainNetwork
    from scorer.segmentation.shards import Segmenting


@click.command("segment")
@options.pool()
@click.option(
    "--network",
    "graph",
    type=options.FILE,
    default="network.onnx",
    show_default=True,
    help="Plain network: python -m export onnx --plain --result probabilities.",
)
@click.option(
    "--out",
    type=options.FILE,
    default="segmented",
    show_default=True,
    help="Folder of the masks: a PNG of every image, at its own size, with class indices. A folder "
    "with other files in it is refused.",
)
@click.option(
    "--least-confidence",
    "least",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="Minimum probability of the class; pixels below it get the value 255.",
)
@click.option(
    "--confidence",
    type=options.FILE,
    help="Folder for the probability of the class of every pixel: a grey PNG, 255 is 1.",
)
@click.option(
    "--overlay",
    type=options.FILE,
    help="Folder for pictures: the classes over the photograph, as JPEG.",
)
@click.option(
    "--tiles/--no-tiles",
    "tiled",
    default=True,
    show_default=True,
    help="See images with a side of more than four times that of the network's input in "
    "overlapping tiles at their own resolution, and do not scale them.",
)
@click.option(
    "--max-megapixels",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Largest image; larger ones are skipped, and named.",
)
@click.option(
    "--runtime",
    type=click.Choice(("auto", "cpu", "openvino")),
    default="auto",
    show_default=True,
    help="Runtime that computes the network.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Number of images that are segmented at the same time.  [default: one per core]",
)
@click.option(
    "--executor",
    type=click.Choice(("threads", "processes")),
    default="threads",
    show_default=True,
    help="What does the work: threads of this process, or processes of this machine.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Number of processes, each with --threads threads (one, if it is not given).",
)
@click.option(
    "--shard",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Number of images of a part: what an interruption costs at most, for each thread.",
)
@options.resume
def segment_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    where: str,
    graph: Path,
    out: Path,
    least: float,
    confidence: Path | None,
    overlay: Path | None,
    tiled: bool,
    max_megapixels: int,
    runtime: str,
    threads: int | None,
    executor: str,
    workers: int,
    shard: int,
    resume: bool,
) -> int:
    """Write a mask of every image of a pool: the class that a network gives each of its pixels.

    masks.csv in the folder has a row for every image, with the reason for one that was skipped.
    Exit code 4 says: done, but some images were skipped.

    \b
    Examples:
      python -m export onnx --plain --result probabilities
      scorer segment --pool ./images
      scorer segment --pool ./images --out sure --least-confidence 0.5 --overlay pictures
      trainer evaluate --masks segmented
    """
    from scorer.segmentation.job import Job, run  # noqa: PLC0415  # pyarrow takes a while
    from scorer.segmentation.network import open_network  # noqa: PLC0415
    from scorer.segmentation.pictures import Folders  # noqa: PLC0415
    from scorer.segmentation.segmenter import Manner  # noqa: PLC0415
    from scorer.segmentation.shards import Wanted  # noqa: PLC0415

    mine = (threads or cores()) if executor == "threads" else 1
    network, pool = open_network(runtime, graph, workers=mine), open_pool(where)
    manner = Manner(least, confidence is not None, tiled, max_megapixels * 1_000_000)
    wanted = Wanted(Folders(out, confidence, overlay), manner)
    begin = monotonic()
    with progress("images") as bar:
        observer = PoolProgress(bar, "segmenting", "segmented", f"in {where}, {network.name}")
        done_by = _executor(executor, workers, threads or 1, graph, runtime)
        outcome = run(Job(network, pool, wanted, shard, resume, observer, done_by))
    _tell(outcome, out, network, monotonic() - begin)
    return SOME_SKIPPED if outcome.skipped else 0


def _executor(name: str, workers: int, threads: int, graph: Path, runtime: str) -> "Executor":
    from scorer.ranking.executors import Divided  # noqa: PLC0415
    from scorer.ranking.executors import threads as here  # noqa: PLC0415
    from scorer.ranking.executors.processes import Processes  # noqa: PLC0415
    from scorer.segmentation.shards import Segmenting, Segments  # noqa: PLC0415

    def work(segments: Divided) -> "Segmenting":
        assert isinstance(segments, Segments)
        return Segmenting(
            graph=graph.absolute(),
            runtime=runtime,
            workers=threads,
            sha256=segments.network.contract.sha256,
            pool=segments.pool.absolute(),
            folder=segments.folder.absolute(),
            wanted=segments.wanted.absolute(),
        )

    return here.run if name == "threads" else Processes(workers, work)


def _tell(outcome: "Outcome", out: Path, network: "PlainNetwork", seconds: float) -> None:
    done = outcome.images - outcome.kept
    rate = f" ({done / seconds:.1f} images/s)" if done else ""
    masks = outcome.images - outcome.skipped
    say(f"{masks} masks of {len(network.contract.classes)} classes in {out}{rate}", style="green")
    if outcome.kept:
        say(f"{outcome.kept} of the images were segmented by an earlier run")
    for reason, count in outcome.reasons.most_common():
        say(f"  {count} images skipped: {reason}", style="yellow", reason=reason, images=count)
        for one in outcome.examples[reason]:
            say(f"    {one.image}" + (f" ({one.detail})" if one.detail else ""))
