"""The commands export tensorrt and export triton: build an engine, write a model repository."""

from pathlib import Path
from typing import Any

import click

from export.absent import check_graph
from export.options import needs_onnx
from scorer import options
from scorer.console import progress, say
from scorer.contract import Contract
from scorer.errors import BadInput
from scorer.files import check_writable
from scorer.runtimes import sidecar
from scorer.runtimes.sidecar import FLAVOURS, Sidecar

_source = click.argument("graph", type=options.FILE, default="scorer.onnx")


class Batches(click.ParamType):  # type: ignore[type-arg]
    """Batch sizes least:usual:most, such as 1:8:32, or one number for all three."""

    name = "least:usual:most"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        if isinstance(value, tuple):
            return value
        parts = value.split(":")
        if len(parts) == 1:
            parts *= 3
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r}: write three numbers, such as 1:8:32, or one", param, ctx)
        least, usual, most = map(int, parts)
        return least, usual, most


@click.command("tensorrt")
@_source
@click.option(
    "--out",
    type=options.FILE,
    default="scorer.engine",
    show_default=True,
    help="File that the engine is written to.",
)
@click.option(
    "--flavour",
    type=click.Choice(tuple(FLAVOURS)),
    default="tensorrt",
    show_default=True,
    help="Library that builds the engine: TensorRT, or TensorRT-RTX for workstations, "
    "which builds without a GPU, too.",
)
@click.option(
    "--gpu",
    default="current",
    show_default=True,
    help="GPU architecture that TensorRT-RTX builds for, such as sm89; current is that of "
    "this machine.",
)
@click.option(
    "--batch",
    type=Batches(),
    default="1:8:32",
    show_default=True,
    help="Smallest, usual and largest number of images that are scored at a time.",
)
@click.option(
    "--workspace",
    type=click.IntRange(1),
    help="Largest scratch memory of the build on the GPU, in megabytes.  [default: all of it]",
)
@click.option(
    "--timing-cache",
    type=options.FILE,
    help="File of measured kernel timings that makes the next build faster; it is read and "
    "written.",
)
@click.option(
    "--tf32/--no-tf32",
    default=False,
    show_default=True,
    help="Round the factors of fp32 products to TF32.",
)
@click.option(
    "--refittable", is_flag=True, help="Build an engine that --refit can give other weights."
)
@click.option(
    "--refit", type=options.FILE, help="Older engine that is given the weights of this graph."
)
@click.option(
    "--version-compatible",
    is_flag=True,
    help="Build an engine that other versions of TensorRT open, too.",
)
@click.option(
    "--hardware-compatible", is_flag=True, help="Build an engine that every GPU since Ampere opens."
)
def tensorrt_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    graph: Path,
    out: Path,
    flavour: str,
    gpu: str,
    batch: tuple[int, int, int],
    workspace: int | None,
    timing_cache: Path | None,
    tf32: bool,
    refittable: bool,
    refit: Path | None,
    version_compatible: bool,
    hardware_compatible: bool,
) -> None:
    """Build a TensorRT engine from a scoring graph or plain network, with a sidecar file about it.

    The precision is that of the graph: python -m export onnx --target gpu --precision fp16.

    \b
    Examples:
      python -m export tensorrt scorer.onnx
      python -m export tensorrt scorer.onnx --batch 1:16:64 --refittable
      python -m export tensorrt next.onnx --refit scorer.engine --out next.engine
      python -m export tensorrt scorer.onnx --flavour rtx --gpu sm89
      python -m export tensorrt network.onnx --out network.engine
    """
    for path in (graph,) if refit is None else (graph, refit):
        check_graph(path)
    needs_onnx()
    from export import builder, engine  # noqa: PLC0415

    if out.suffix != sidecar.SUFFIX:
        raise BadInput(f"--out {out}: engines end in {sidecar.SUFFIX}", remedy="rename it")
    check_writable(out)
    if refit is not None:
        _check_refit()
        built = engine.refit(graph, refit, out)
    else:
        wanted = builder.EngineOptions(
            flavour=flavour,
            gpu=gpu,
            batch=batch,
            workspace_mb=workspace,
            timing_cache=timing_cache,
            tf32=tf32,
            refittable=refittable,
            version_compatible=version_compatible,
            hardware_compatible=hardware_compatible,
        )
        with progress("steps") as bar:
            task = bar.add_task("reading the graph", total=None)

            def on_step(phase: str, done: int, total: int) -> None:
                bar.update(task, description=phase, completed=done, total=total)

            built = engine.build(graph, out, wanted, on_step)
    _tell(built, out)


@click.command("triton")
@_source
@click.option(
    "--repository",
    type=options.FILE,
    default="models",
    show_default=True,
    help="Folder of the model repository; the graph becomes the next version of its model.",
)
@click.option(
    "--name", help="Name of the model.  [default: scorer, or network for a plain network]"
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Largest number of images that are scored at a time.",
)
@click.option(
    "--delay-us",
    type=click.IntRange(0),
    default=2000,
    show_default=True,
    help="Microseconds that a request waits for others to join its batch.",
)
@click.option(
    "--instances",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of copies of the model that run at the same time.",
)
@click.option(
    "--device",
    type=click.Choice(("gpu", "cpu")),
    default="gpu",
    show_default=True,
    help="Hardware that the server computes the model on.",
)
def triton_command(  # one parameter per option
    graph: Path,
    repository: Path,
    name: str | None,
    batch: int,
    delay_us: int,
    instances: int,
    device: str,
) -> None:
    """Write a model repository for NVIDIA's Triton Inference Server.

    GRAPH is a scoring graph, a plain network or a TensorRT engine. Batching, warm-up and instances
    are set; running servers take a new version by themselves.

    \b
    Examples:
      python -m export triton scorer.onnx --repository models
      python -m export triton scorer.engine --repository models --batch 32 --instances 2
      python -m export triton scorer.onnx --device cpu
      python -m export triton network.onnx --name streets
      tritonserver --model-repository=$PWD/models
    """
    check_graph(graph)
    needs_onnx()
    from export import triton  # noqa: PLC0415

    wanted = triton.RepositoryOptions(
        name=name, most=batch, delay_us=delay_us, instances=instances, device=device
    )
    version = triton.write(graph, repository, wanted)
    say(f"wrote {version}; next: tritonserver --model-repository={repository}", style="green")


def _check_refit() -> None:
    """Raise UsageError for build options next to --refit: the old engine fixes all of them."""
    context = click.get_current_context()
    kept = {"graph", "out", "refit"}
    given = [
        option
        for option in context.params
        if option not in kept
        and context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"--{given[0].replace('_', '-')} does not go with --refit, "
            "which changes the weights of an engine and nothing else"
        )


def _tell(built: Sidecar, out: Path) -> None:
    layers = ", ".join(f"{count} {kind}" for kind, count in built.precisions.items())
    say(f"layers by type: {layers}; batches of {', '.join(map(str, built.batch))}")
    scores = isinstance(built.contract, Contract)
    if isinstance(built.contract, Contract) and built.contract.raster in ("strips", "bands"):
        say("the graph is laid out for a CPU: with --target gpu it would be faster", style="yellow")
    then = f"rank --graph {out} --pool ./images --n 5" if scores else f"segment --network {out}"
    say(
        f"wrote {out} for {built.gpu}, {out.stat().st_size / 1e6:.1f} MB; next: scorer {then}",
        style="green",
    )
