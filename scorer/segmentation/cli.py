"""The command scorer segment."""

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from scorer import options
from scorer.console import Number, progress, say
from scorer.errors import SOME_SKIPPED
from scorer.pools import open_pool
from scorer.ranking.executors import options as executor_options
from scorer.ranking.messages import PoolProgress, describe_executor
from scorer.runtimes import options as runtime_options
from scorer.segmentation.request import Request

if TYPE_CHECKING:
    from scorer.segmentation.job import Outcome
    from scorer.segmentation.network import PlainNetwork


@click.command("segment")
@options.pool(bare=True)
@click.option(
    "--network",
    "graph",
    type=options.FILE,
    default="network.onnx",
    show_default=True,
    help="Plain network (.onnx): python -m export onnx --plain --result probabilities. Or its "
    "TensorRT engine (.engine).",
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
    "--uncertainty",
    type=options.FILE,
    help="Folder for the uncertainty of every pixel, the entropy of its class probabilities: a "
    "grey PNG of 16 bits; its text `scale` says how many nats a level is.",
)
@click.option(
    "--soft",
    type=options.FILE,
    help="Folder for the probabilities of all classes at every pixel: .npz files with "
    "`probabilities`, float16 [classes, height, width], and `classes`.",
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
@runtime_options.runtime
@runtime_options.threads
@executor_options.executor
@executor_options.workers
@executor_options.address
@executor_options.gpus
@executor_options.shard
@executor_options.task
@options.resume
def segment_command(**given: Any) -> int:
    """Write a mask of every image of a pool: the class that a network gives each of its pixels.

    masks.csv in the folder has a row for every image, with the reason for one that was skipped.
    Exit code 4 means that some images were skipped.

    \b
    Examples:
      python -m export onnx --plain --result probabilities
      scorer segment --pool ./images
      scorer segment --pool ./images --out sure --least-confidence 0.5 --overlay pictures
      scorer segment --pool ./images --soft probabilities --uncertainty uncertainties
      scorer segment --pool s3://bucket/photographs --executor ray --workers 8
      trainer evaluate --masks segmented
    """
    from scorer.segmentation import job  # noqa: PLC0415  # pyarrow loads slowly

    request = Request(**given)
    network, pool, begin = request.opened(), open_pool(request.where), monotonic()
    with progress("images") as bar:
        who = describe_executor(request.executor, request.workers, network.workers)
        observer = PoolProgress(
            bar, "segmenting", "segmented", f"in {request.where}", f"runtime {network.name}, {who}"
        )
        wanted = request.job(network, pool, observer)
        if request.task is not None:
            say(job.do_part(wanted, request.task), style="green")
            return 0
        outcome = job.run(wanted)
    _tell(outcome, request.out, network, monotonic() - begin)
    return SOME_SKIPPED if outcome.skipped else 0


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
