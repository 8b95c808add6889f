"""The command line of the exporter."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from export.absent import check_model
from export.deploy import tensorrt_command, triton_command
from export.options import model_option, needs_onnx, network_option, source
from export.verify_cli import verify_command
from scorer import __version__, options
from scorer.console import Program, Size, progress, say
from scorer.contract import ACQUISITIONS, PRECISIONS, STRIDES, Contract
from scorer.errors import BadInput
from scorer.files import check_writable
from scorer.images.preprocessing import LAYOUTS
from scorer.plain import INT8, OUTPUTS
from scorer.pools import open_pool

if TYPE_CHECKING:
    from export.source import Source
    from trainer.graph.scorable import Scorable
    from trainer.model import Card

_PRECISIONS = dict(zip(("fp32", "fp16", "bf16"), PRECISIONS, strict=True))


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="export")
def main() -> None:
    """Turn a trained model into one ONNX graph that says which pixels to label next.

    In a shell `export` is a builtin: type `python -m export`. Any command takes --verbose to show
    the traceback of an error.
    """


@main.command("onnx")
@model_option
@network_option
@source
@click.option(
    "--mc",
    "passes",
    type=click.IntRange(2, 1000),
    default=20,
    show_default=True,
    help="Number of Monte Carlo dropout passes in the graph.",
)
@click.option(
    "--acquisition",
    type=click.Choice(ACQUISITIONS),
    default=ACQUISITIONS[0],
    show_default=True,
    help="Acquisition function: what makes a pixel worth a click.",
)
@click.option(
    "--size",
    type=Size(),
    help="Size of the grid that images are scored on, HEIGHTxWIDTH.  [default: the size of "
    "training, or of the input of the network]",
)
@click.option(
    "--stride",
    type=click.Choice(["auto", *(str(stride) for stride in STRIDES)]),
    default="auto",
    show_default=True,
    help="Distance between scored pixels of the grid: 2 scores one pixel of 2x2, which is "
    "coarser and cheaper. auto takes the stride of the features of the network, at "
    "most 4.",
)
@click.option(
    "--target",
    type=click.Choice(("cpu", "gpu")),
    default="cpu",
    show_default=True,
    help="Hardware that will compute the graph. The arithmetic is the same, in another order.",
)
@click.option(
    "--precision",
    type=click.Choice((*_PRECISIONS, INT8)),
    help="Precision of the network in the graph; the scores behind it are always computed "
    "in fp32. int8 only with --plain.  [default: that of the network]",
)
@click.option(
    "--top",
    "top_k",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Largest number of pixels that the graph can choose in an image, and so the "
    "largest --n of scorer rank.",
)
@click.option(
    "--seed",
    "mask_seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the dropout masks.",
)
@click.option(
    "--map/--no-map",
    "with_map",
    default=True,
    show_default=True,
    help="Let the graph give the uncertainty map, which spacing, --overlay and the page need.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Write the network alone, for applications and scorer segment: no passes, no scores.",
)
@click.option(
    "--result",
    type=click.Choice(OUTPUTS),
    help=f"With --plain: what the graph gives for every pixel.  [default: {OUTPUTS[0]}]",
)
@click.option(
    "--image-layout",
    "image_layout",
    type=click.Choice(LAYOUTS),
    help="With --plain: order of the axes of the image, which is uint8 RGB.  [default: nhwc]",
)
@click.option(
    "--calibrate",
    metavar="PLACE",
    default="images",
    show_default=True,
    help="With --precision int8: pool whose first 100 images give the ranges of the values.",
)
@click.option(
    "--data",
    type=options.FILE,
    default="dataset.toml",
    show_default=True,
    help="With --precision int8: dataset on whose [val] the mIoU that int8 costs is measured.",
)
@click.option(
    "--any-size",
    is_flag=True,
    help="With --plain: take images of any size whose sides are multiples of 32.",
)
@click.option(
    "--out",
    type=options.FILE,
    help="File that the graph is written to.  [default: scorer.onnx; with --plain network.onnx]",
)
def onnx_command(  # the options that both kinds of graphs have
    model: Path,
    network: str | None,
    source: "Source | None",
    size: tuple[int, int] | None,
    precision: str | None,
    plain: bool,
    out: Path | None,
    **others: Any,
) -> None:
    """Export a model, its dropout passes and an acquisition function as one ONNX graph.

    With --from, the model is any segmentation network in an ONNX file: its last linear layer is
    found, and the scoring head replaces all that follows it. With --plain, the graph is the
    network alone, from an image to the classes of its pixels.

    \b
    Examples:
      python -m export onnx --mc 20
      python -m export onnx --acquisition bald --out bald.onnx
      python -m export onnx --size 512x1024 --top 256
      python -m export onnx --stride 1 --out fine.onnx
      python -m export onnx --target gpu --precision fp16
      python -m export onnx --from segformer.onnx --classes config.json
      python -m export onnx --from unet.onnx --size 512x512 --preset unit
      python -m export onnx --plain --result probabilities
      python -m export onnx --plain --precision int8 --calibrate ./images
      python -m export onnx --plain --any-size
    """
    _check_plain(plain, precision)
    if source is None:
        check_model(model)
    if precision == INT8:
        open_pool(others["calibrate"])  # that it is there, before anything is traced
    needs_onnx()
    out = out or Path("network.onnx" if plain else "scorer.onnx")
    if out.exists() and out.resolve() == (model if source is None else source.path).resolve():
        raise BadInput(f"--out {out} would write over the network", remedy="choose another name")
    check_writable(out)
    built, card = _opened(model, network, source, size)
    if plain:
        _write_plain(built, card, out, size, precision, **others)
    else:
        _write_scores(built, card, out, size, precision, **others)


for command in (verify_command, tensorrt_command, triton_command):
    main.add_command(command)


def _write_scores(
    network: "Scorable",
    card: "Card",
    out: Path,
    size: tuple[int, int] | None,
    precision: str | None,
    **others: Any,
) -> None:
    """Export the scoring graph."""
    from export.graph import GraphOptions, bake, contract_for, earlier, save  # noqa: PLC0415

    wanted = GraphOptions(
        size=size,
        precision=None if precision is None else _PRECISIONS[precision],
        stride=None if others["stride"] == "auto" else int(others["stride"]),
        **{name: others[name] for name in _OF_SCORES if name != "stride"},
    )
    contract = contract_for(network, card, wanted)
    with progress("graphs") as bar:
        bar.add_task(f"tracing {wanted.passes} passes of {card.network}", total=None)
        graph = bake(network, contract, earlier(out))
    save(graph, out)
    _tell_written(out, contract, card, wanted.target)


def _write_plain(
    network: "Scorable",
    card: "Card",
    out: Path,
    size: tuple[int, int] | None,
    precision: str | None,
    **others: Any,
) -> None:
    """Export the network alone (--plain)."""
    from export.plain_cli import PlainWish, write  # noqa: PLC0415

    wish = PlainWish(
        size=size,
        output=others["result"] or OUTPUTS[0],
        layout=others["image_layout"] or LAYOUTS[1],
        precision=precision and _PRECISIONS.get(precision),
        any_size=others["any_size"],
        calibrate=others["calibrate"] if precision == INT8 else None,
        data=others["data"],
    )
    write(network, card, out, wish)


_OF_SCORES = ("passes", "acquisition", "stride", "target", "top_k", "mask_seed", "with_map")
_OF_PLAIN = ("result", "image_layout", "calibrate", "data", "any_size")


def _check_plain(plain: bool, precision: str | None) -> None:
    """Raise UsageError for options that would have no effect."""
    if precision == INT8 and not plain:
        raise click.UsageError("--precision int8: dropout passes need more; give it with --plain")
    context = click.get_current_context()
    names = _OF_SCORES if plain else _OF_PLAIN
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source is click.core.ParameterSource.COMMANDLINE:
            what = "a plain network has no scores" if plain else "give it with --plain"
            raise click.UsageError(f"{option.opts[0]} is of no effect: {what}")


def _tell_written(out: Path, contract: "Contract", card: "Card", target: str) -> None:
    if card.dropout_kind != "channel":
        say("trained with elementwise dropout; the passes of a graph drop whole channels")
    if target == "cpu" and contract.raster == "whole":
        say("this classifier is scored in one piece, slower and with more memory")
    other = "" if out.name == "scorer.onnx" else f" --graph {out}"
    say(
        f"wrote {out}: {contract.acquisition} over {contract.passes} passes at "
        f"{contract.height}x{contract.width}"
        f"{'' if contract.stride == 1 else f', a map of {contract.map[0]}x{contract.map[1]}'}, "
        f"{out.stat().st_size / 1e6:.1f} MB; next: scorer rank --pool ./images --n 5{other}"
        + (" --runtime openvino" if contract.precision == "bfloat16" else ""),
        style="green",
    )


def _opened(
    model: Path, network: str | None, source: "Source | None", size: tuple[int, int] | None
) -> "tuple[Scorable, Card]":
    """Load the network to export with its card; prints what was found in an ONNX file (--from)."""
    from export.source import open_network  # noqa: PLC0415
    from trainer.model import load  # noqa: PLC0415

    if source is None:
        return load(model, network)
    given = click.get_current_context().get_parameter_source("model")
    if network is not None or given is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--from takes the place of --model and --network: leave them away")
    with progress("networks") as bar:
        bar.add_task(f"looking for the classifier of {source.path}", total=None)
        foreign, card, origin = open_network(source, size)
    for line in foreign.findings():
        say(line)
    say(f"names of its {len(card.classes)} classes: {origin}")
    return foreign, card
