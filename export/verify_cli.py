"""The command export verify: compares a graph with the model that it was exported from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from export.absent import check_graph, check_model, check_network
from export.options import model_option, needs_onnx, network_option
from scorer import options
from scorer.console import progress, say
from scorer.contract import ORIGINS, Contract
from scorer.pools import list_pool
from scorer.runtimes import contract_of
from scorer.runtimes import options as runtime_options

if TYPE_CHECKING:
    from export.plain_verification import PlainVerdict
    from export.verification import Verdict

UNSAID = ("tolerance", "tie", "runtime")  # of a verdict, not among the numbers that are printed


@click.command("verify")
@options.graph
@model_option
@network_option
@click.option(
    "--from",
    "foreign",
    type=options.FILE,
    help="Network that a grafted graph was made from (.onnx), in place of a model.",
)
@options.pool("Photographs to compare on")
@runtime_options.runtime
@runtime_options.precision
@click.option(
    "--images",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Number of photographs to compare.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON on stdout.")
def verify_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    graph: Path,
    model: Path,
    network: str | None,
    foreign: Path | None,
    where: str,
    runtime: str,
    precision: str,
    images: int,
    as_json: bool,
) -> int:
    """Compare a graph in a runtime with its PyTorch model, or with the network that it was grafted
    onto (--from), on photographs.

    Fails (exit code 1) if the maps differ, if it selects pixels that the reference would not, or if
    its passes are all the same; a plain network, if it gives pixels other classes.

    \b
    The numbers, over all photographs:
      images                how many were compared
      map_difference        largest difference of the two maps, where a pixel can be selected
      map_difference_below  the same elsewhere: where BalEnt is below -8
      regret                by how much the worst pixel that the graph selects falls short, in the
                            reference's map, of the worst that the reference selects; 0 is best
      labels                share of the selected pixels that have the reference's class
      score_map             1 if the score map holds the scores of the best pixels
      positions             1 if the map changes where a photograph does
      spread                mean range of the classifier's weights over the passes; 0 if dropout
                            was lost
    \b
    Of a plain network:
      classes               share of the pixels that have the reference's class
      difference            largest difference of a probability
    \b
    More about the regret and the bounds: docs/numerics.md

    \b
    Examples:
      python -m export verify
      python -m export verify --graph bald.onnx --pool ./images --images 20
      python -m export verify --runtime openvino --precision bfloat16
      python -m export verify --from segformer.onnx
      python -m export verify --graph network.onnx
    """
    _check(graph, model, foreign)
    pool = list_pool(where)
    needs_onnx()
    from export.api import verify  # noqa: PLC0415

    with progress("images") as bar:
        task = bar.add_task("comparing", total=min(images, len(pool)))
        verdict = verify(
            graph, pool, model=model, network=network, source=foreign, images=images,
            runtime=runtime, precision=precision,
            on_image=lambda done: bar.update(task, completed=done),
        )  # fmt: skip
    _report(verdict, graph, foreign or model, as_json=as_json)
    return 1 if verdict.failures else 0


def _report(
    verdict: "Verdict | PlainVerdict", graph: Path, reference: Path, *, as_json: bool
) -> None:
    """Print the numbers on stdout, and the verdict on stderr."""
    numbers = asdict(verdict)
    for name in UNSAID:
        numbers.pop(name, None)
    if as_json:
        click.echo(json.dumps(numbers | {"failures": verdict.failures}))
    else:
        for name, value in numbers.items():
            click.echo(f"{name:<22} {'-' if value is None else f'{value:.3g}'}")
    say(f"runtime {verdict.runtime}")
    for failure in verdict.failures:
        say(f"FAIL: {failure}", style="bold red")
    if not verdict.failures:
        classes = numbers.get("classes", 1)
        but = "" if classes == 1 else f", but for the class of {1 - classes:.1%} of the pixels"
        say(f"PASS: {graph} does what {reference} does{but}", style="green")


def _check(graph: Path, model: Path, foreign: Path | None) -> None:
    """Raise BadGraph, BadModel or CannotGraft where a file is not there."""
    check_graph(graph)
    if foreign is not None:
        check_network(foreign)
        return
    if model.is_file():
        return
    contract = contract_of(graph)
    if not isinstance(contract, Contract) or contract.origin == ORIGINS[0]:
        check_model(model)
