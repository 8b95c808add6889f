"""The command line of the scorer."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer import __version__, options
from scorer.console import Number, Program, cores, progress, say
from scorer.errors import MissingDependency
from scorer.exchange.cli import labels_group
from scorer.plain import described
from scorer.pools import Index, list_pool
from scorer.ranking.cli import rank_command
from scorer.runtimes import AUTO, NAMES, choose, contract_of, doctor, examine, sidecar
from scorer.runtimes import options as runtime_options
from scorer.segmentation.cli import segment_command
from scorer.service.cli import serve_command

if TYPE_CHECKING:
    from scorer.bench import Cost


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scorer")
def main() -> None:
    """Rank the pixels of an image pool by how much their labels would teach the model.

    Any command takes --verbose to show the traceback of an error, and --log-json to write its
    messages to stderr as JSON lines.
    """


main.add_command(rank_command)
main.add_command(serve_command)
main.add_command(segment_command)


@main.command("inspect")
@click.argument("place", metavar="[GRAPH]", type=options.FILE, required=False)
@options.graph
@click.option(
    "--json", "as_json", is_flag=True, help="Print the contract as JSON, and nothing else."
)
def inspect_command(place: Path | None, graph: Path, as_json: bool) -> None:
    """Print the contract, the inputs and the outputs of a graph.

    GRAPH is a scoring graph, a plain network or a TensorRT engine; --graph is the same.

    \b
    Examples:
      scorer inspect
      scorer inspect network.onnx
      scorer inspect scorer.engine --json
    """
    contract = contract_of(place or graph)
    if as_json:
        click.echo(contract.to_json())
        return
    for name, value in described(contract):
        click.echo(f"{name:<14} {value}")
    for kind, names in (("input", contract.inputs), ("output", contract.outputs)):
        for name in names:
            shape = ", ".join(map(str, ("B", *contract.shapes[name])))
            click.echo(f"{kind:<14} {name}: {contract.kinds[name]} [{shape}]")


@main.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
def doctor_command(as_json: bool) -> int:
    """List the runtimes that can open a graph, and what would install the missing ones.

    Exit code 3 means that there is none.

    \b
    Examples:
      scorer doctor
      scorer doctor --json
    """
    findings = doctor.examine()
    ready = [finding.runtime for finding in findings if finding.ready]
    chosen = next((name for name in AUTO if name in ready), None)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            state = "ready" if finding.ready else "missing"
            click.echo(f"{finding.runtime:<14}{state:<9}{_found(finding, chosen)}")
    for problem, remedy in doctor.clashes():
        say(problem, style="yellow")
        say(f"  {remedy}")
    say(
        f"{cores()} cores: {cores()} images are scored at a time, unless --threads gives "
        "another number"
    )
    return 0 if ready else MissingDependency.exit_code


@main.command("bench")
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

    \b
    Examples:
      scorer bench
      scorer bench coarse.onnx --seconds 30
      scorer bench scorer.onnx --pool ./images --images 500
    """
    from scorer import bench  # noqa: PLC0415

    pool = _few(list_pool(where), images) if where else None
    combinations = _combinations(runtime, graph)
    costs = []
    with progress("runtimes") as bar:
        task = bar.add_task("measuring", total=len(combinations))
        for name, precision in combinations:
            bar.update(task, description=f"measuring {name} {precision}")
            plan = bench.Measurement(
                graph=graph,
                runtime=name,
                precision=precision,
                workers=threads or cores(),
                seconds=seconds,
                pool=pool,
            )
            costs.append(bench.measure(plan))
            bar.advance(task)
    if as_json:
        for cost in costs:
            click.echo(json.dumps(asdict(cost) | {"share": cost.share}))
        return
    click.echo(_row(_HEADINGS))
    for cost in costs:
        click.echo(_row(_told(cost)))
    best = max(costs, key=lambda cost: cost.rate)
    say(f"fastest here: --runtime {best.runtime} --precision {best.precision}", style="green")


main.add_command(labels_group)


_HEADINGS = (
    "runtime", "precision", "ms/image", "images/s", "from files", "CPU s/image", "opens", "peak",
)  # fmt: skip


def _told(cost: "Cost") -> tuple[str, ...]:
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


def _found(finding: doctor.Finding, chosen: str | None) -> str:
    if not finding.ready:
        return f"{finding.detail}: {finding.remedy}"
    auto = "; --runtime auto takes it" if finding.runtime == chosen else ""
    return f"{finding.detail}; precision {', '.join(finding.precisions)}{auto}"
