"""The command that measures a graph."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer import options
from scorer.console import Number, cores, progress, say
from scorer.contract import PRECISIONS
from scorer.pools import Index, list_pool
from scorer.runtimes import NAMES, choose, doctor, examine, sidecar
from scorer.runtimes import options as runtime_options

if TYPE_CHECKING:
    from scorer.bench.cost import Cost

_FEW = 200  # images; with fewer the start of a ranking shows in its rate


@click.command("bench")
@click.argument("graph", type=options.FILE, default="scorer.onnx")
@click.option(
    "--runtime",
    type=click.Choice(("all", *NAMES)),
    default="all",
    show_default=True,
    help="Runtime to measure; all measures every runtime and precision of this machine.",
)
@options.pool("Pool to rank, to measure the way from its files to a ranking, too", default=None)
@click.option(
    "--images",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Largest number of images of the pool to rank.",
)
@runtime_options.threads
@click.option(
    "--seconds",
    type=Number(0.1, 3600),
    default=8.0,
    show_default=True,
    help="Seconds to measure for each runtime and precision.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the numbers as JSON lines in place of a table."
)
def bench_command(
    graph: Path,
    runtime: str,
    where: str | None,
    images: int,
    threads: int | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure what a graph costs on this machine, in every runtime that it has.

    The columns: milliseconds of one image alone on one core; images per second from memory, one
    image per core; images per second from the files of --pool to a ranking, and its share of those
    from memory (starts count: give a pool of a few hundred images); processor seconds per image;
    the time to open the graph; and the peak memory. Images that cannot be read are left out.

    The runtime cpu also gets a table of stages: reading, decoding and resizing an image (with
    --pool), backbone, head, dropout passes, their moments and the acquisition in the graph, the
    spacing of the chosen pixels, and writing. Its numbers are milliseconds of processor time.

    \b
    Examples:
      scorer bench
      scorer bench coarse.onnx --seconds 30
      scorer bench scorer.onnx --pool ./images --images 500
    """
    from scorer.bench.cost import Measurement, measure  # noqa: PLC0415

    pool = _few(list_pool(where), images) if where else None
    combinations = _combinations(runtime, graph)
    costs = []
    with progress("runtimes") as bar:
        task = bar.add_task("measuring", total=len(combinations))
        for name, precision in combinations:
            bar.update(task, description=f"measuring {name} {precision}")
            plan = Measurement(
                graph=graph,
                runtime=name,
                precision=precision,
                workers=threads or cores(),
                seconds=seconds,
                pool=pool,
            )
            costs.append(measure(plan))
            bar.advance(task)
    if as_json:
        for cost in costs:
            click.echo(json.dumps(asdict(cost) | {"share": cost.share}))
        return
    click.echo(_row(_HEADINGS))
    for cost in costs:
        click.echo(_row(_cells(cost)))
    for cost in costs:
        if cost.stages:
            _print_stages(cost, cost.stages)
    if pool is not None and len(pool) < _FEW:
        say(f"from files: with {len(pool)} images, the start of a ranking lowers the rate")
    for line in _fastest(costs):
        say(line, style="green")


def _fastest(costs: Sequence["Cost"]) -> Iterator[str]:
    """Yield which runtime is the fastest, and which is where the precision is a full one."""
    ordered = sorted(costs, key=lambda cost: cost.rate, reverse=True)
    best = ordered[0]
    yield f"fastest here: --runtime {best.runtime} --precision {best.precision}"
    if best.precision != PRECISIONS[0]:
        yield f"{best.precision} may choose other pixels than {PRECISIONS[0]}: docs/numerics.md"
        exact = next((cost for cost in ordered if cost.precision == PRECISIONS[0]), None)
        if exact is not None:
            yield f"fastest in {PRECISIONS[0]}: --runtime {exact.runtime}"


_HEADINGS = (
    "runtime", "precision", "ms/image", "images/s", "from files", "CPU s/image", "opens", "peak",
)  # fmt: skip


def _cells(cost: "Cost") -> tuple[str, ...]:
    """A row of the table; ms/image on one core, images/s on all."""
    return (
        cost.runtime,
        cost.precision,
        f"{cost.alone * 1e3:.1f}",
        f"{cost.rate:.2f}",
        "-" if cost.files is None else f"{cost.files:.2f} ({cost.share:.0%})",
        f"{cost.cpu:.3f}",
        f"{cost.opening:.1f} s",
        "-" if cost.peak_memory is None else f"{cost.peak_memory / 1e6:.0f} MB",
    )


def _print_stages(cost: "Cost", stages: dict[str, float]) -> None:
    """Print the processor time of every stage, and its share."""
    whole = sum(stages.values())
    click.echo(f"\n{_row((cost.runtime, 'CPU ms/image', 'share'))}")
    for stage, seconds in (*stages.items(), ("together", whole)):
        click.echo(_row((stage, f"{seconds * 1e3:.2f}", f"{seconds / whole:.0%}")))
    click.echo("")


def _row(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:<13}" for cell in cells).rstrip()


def _combinations(runtime: str, graph: Path) -> list[tuple[str, str]]:
    """The pairs of runtime and precision to measure: all that are ready, or all of one runtime."""
    if graph.suffix == sidecar.SUFFIX:
        runtime = "tensorrt"
    if runtime != "all":
        return [(runtime, precision) for precision in examine(runtime).precisions]
    found = [
        (finding.runtime, precision)
        for finding in doctor.examine()
        if finding.runtime != "tensorrt"
        for precision in finding.precisions
    ]
    if not found:
        choose("auto")  # raises an error that says what to install
    return found


def _few(pool: Index, most: int) -> Index:
    return pool.only(pool.names[:most])
