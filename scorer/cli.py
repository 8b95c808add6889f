"""The command line of the scorer."""

import json
from pathlib import Path
from time import monotonic

import click

from scorer import __version__, labels, ranking
from scorer.console import Program, cores, progress, say
from scorer.contract import Contract
from scorer.errors import SOME_SKIPPED
from scorer.job import Options, Summary, rank_to_file, skipped_path
from scorer.pool import list_pool
from scorer.runtime import OnnxRuntime

_FILE = click.Path(path_type=Path)
_NAMED_PER_REASON = 3


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scorer")
def main() -> None:
    """Rank the pixels of an image pool by how much their labels would teach the model.

    Any command takes --verbose to show the traceback of an error.
    """


@main.command("rank")
@click.option(
    "--pool",
    "pool_path",
    type=_FILE,
    default="images",
    show_default=True,
    help="Folder of images (searched recursively), or a .txt list of paths.",
)
@click.option("--n", type=click.IntRange(1), default=5, show_default=True, help="Pixels per image.")
@click.option(
    "--graph", type=_FILE, default="scorer.onnx", show_default=True, help="The scoring graph."
)
@click.option(
    "--labels",
    "labels_path",
    type=_FILE,
    help="CSV image,row,col,label: pixels already asked, never chosen again.",
)
@click.option(
    "--out",
    type=_FILE,
    default="ranking.csv",
    show_default=True,
    help="Where the ranking goes: .csv, .jsonl or .parquet.",
)
@click.option(
    "--overlay",
    type=_FILE,
    help="Folder for pictures: each photograph with its chosen pixels beside its map.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="For the acquisitions that draw at random: margin, powerbald, random.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Images handed to the runtime at a time; the ranking does not depend on it.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="Threads of the runtime.  [default: all cores]"
)
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on where an interrupted run of the same command stopped.",
)
@click.option("--json", "as_json", is_flag=True, help="Also print the ranking as JSON lines.")
def rank_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    pool_path: Path,
    n: int,
    graph: Path,
    labels_path: Path | None,
    out: Path,
    overlay: Path | None,
    seed: int,
    batch: int,
    threads: int | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Choose the n most informative pixels of every image of a pool.

    \b
    Examples:
      scorer rank --pool ./images --n 5
      scorer rank --pool ./images --labels labels.csv --overlay pictures
      scorer rank --pool list.txt --out ranking.parquet
      scorer rank --pool ./images --json | head

    Exit code 4 says: done, but some images were skipped; each is named with its reason.
    """
    ranking.check_suffix(out)
    runtime = OnnxRuntime(graph, threads=threads or cores())
    contract = runtime.contract
    pool = list_pool(pool_path)
    options = Options(
        n=n,
        seed=seed,
        batch=batch,
        labels=labels.read(labels_path, contract.classes) if labels_path else None,
        pictures=overlay,
        resume=resume,
    )
    say(f"{len(pool)} images in {pool_path}, {_in_words(contract)}")
    begin = monotonic()
    with progress("images") as bar:
        task = bar.add_task("ranking", total=len(pool))
        summary = rank_to_file(
            runtime, pool, out, options, lambda done: bar.update(task, completed=done)
        )
    _tell(summary, out, overlay, seconds=monotonic() - begin)
    if as_json:
        for row in ranking.read(out):
            click.echo(json.dumps(row))
    return SOME_SKIPPED if summary.skipped else 0


@main.command("inspect")
@click.option(
    "--graph", type=_FILE, default="scorer.onnx", show_default=True, help="The scoring graph."
)
@click.option("--json", "as_json", is_flag=True, help="Print the contract as JSON, nothing else.")
def inspect_command(graph: Path, as_json: bool) -> None:
    """Print the contract of a scoring graph: what it computes, and from what.

    \b
    Examples:
      scorer inspect
      scorer inspect --graph scorer.onnx --json
    """
    contract = OnnxRuntime(graph, threads=1).contract
    if as_json:
        click.echo(contract.to_json())
        return
    for name, value in contract.described():
        click.echo(f"{name:<14} {value}")


def _in_words(contract: Contract) -> str:
    passes = f"{contract.passes} dropout passes"
    return f"{contract.acquisition} over {passes} at {contract.height}x{contract.width}"


def _tell(summary: Summary, out: Path, overlay: Path | None, *, seconds: float) -> None:
    done = summary.images - summary.kept
    rate = f" ({done / seconds:.1f} images/s)" if done else ""
    say(f"{summary.pixels} pixels of {summary.ranked} images in {out}{rate}", style="green")
    if summary.kept:
        say(f"{summary.kept} images were done by an earlier run that was interrupted")
    if summary.short:
        say(f"{summary.short} images had fewer pixels left than were asked for", style="yellow")
    if summary.strangers:
        say(f"{summary.strangers} labelled images are not in the pool", style="yellow")
    if overlay is not None:
        say(f"pictures in {overlay}")
    if summary.skipped:
        _tell_skipped(summary, out)


def _tell_skipped(summary: Summary, out: Path) -> None:
    say(f"{len(summary.skipped)} images were skipped:", style="yellow")
    for reason, count in summary.reasons.most_common():
        named = [skip for skip in summary.skipped if skip.reason == reason]
        say(f"  {count} {reason}", style="yellow")
        for skip in named[:_NAMED_PER_REASON]:
            say(f"    {skip.image}" + (f" ({skip.detail})" if skip.detail else ""))
        if count > _NAMED_PER_REASON:
            say(f"    and {count - _NAMED_PER_REASON} more")
    say(f"all of them are named in {skipped_path(out)}")
