"""The command line of the scorer."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from scorer import __version__, options
from scorer.bench.cli import bench_command
from scorer.console import Program, cores, say
from scorer.errors import MissingDependency
from scorer.exchange.cli import labels_group
from scorer.plain import described
from scorer.ranking.cli import rank_command
from scorer.runtimes import AUTO, contract_of, doctor
from scorer.segmentation.cli import segment_command
from scorer.service.cli import serve_command


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


main.add_command(bench_command)
main.add_command(labels_group)


def _found(finding: doctor.Finding, chosen: str | None) -> str:
    if not finding.ready:
        return f"{finding.detail}: {finding.remedy}"
    auto = "; --runtime auto takes it" if finding.runtime == chosen else ""
    return f"{finding.detail}; precision {', '.join(finding.precisions)}{auto}"
