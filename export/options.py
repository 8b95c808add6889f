"""Command-line options that describe an ONNX network (--from) where its file does not."""

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from export.absent import check_classes, check_network
from scorer import options
from scorer.console import Number
from scorer.errors import MissingDependency
from scorer.images.preprocessing import CHANNELS, LAYOUTS, PRESETS

_WITH_SOURCE = ("output", "preset", "mean", "std", "channels", "layout", "classes", "dropout")


class OfChannels(click.ParamType):  # type: ignore[type-arg]
    """Numbers of three channels, such as 0.485,0.456,0.406, or one number for all channels."""

    name = "a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 3) or not all(-1e6 < number < 1e6 for number in numbers):
            self.fail(
                f"{value!r}: write three numbers, such as 0.485,0.456,0.406, or a single one",
                param,
                ctx,
            )
        return numbers if len(numbers) == 3 else numbers * 3


model_option = click.option(
    "--model",
    type=options.FILE,
    default="model.safetensors",
    show_default=True,
    help="Model of trainer fit.",
)
network_option = click.option(
    "--network",
    help="Python code that the model was trained with, package.module:factory, if it is a "
    "network of yours.",
)
_OPTIONS = (
    click.option(
        "--from",
        "path",
        type=options.FILE,
        help="Segmentation network in an ONNX file that the scoring head is grafted onto, "
        "in place of a model.",
    ),
    click.option(
        "--output", help="Output of the network that gives the class scores.  [default: the first]"
    ),
    click.option(
        "--preset",
        type=click.Choice(tuple(PRESETS)),
        help="Preprocessing of the images that the network was trained with.  [default: "
        "imagenet; unit for grey images; raw for uint8 inputs]",
    ),
    click.option(
        "--mean",
        type=OfChannels(),
        help="Mean per channel that is subtracted from the image, of values from 0 to 1 or "
        "from 0 to 255, in the channel order of the network.",
    ),
    click.option(
        "--std",
        type=OfChannels(),
        help="Standard deviation per channel that the image is divided by, as --mean.",
    ),
    click.option(
        "--channels",
        type=click.Choice(CHANNELS),
        help="Channel order of the input.  [default: that of the preset; grey for one channel]",
    ),
    click.option(
        "--layout",
        type=click.Choice(LAYOUTS),
        help="Axis order of the input.  [default: recognised by the axis of length 3 or 1]",
    ),
    click.option(
        "--classes",
        type=options.FILE,
        help="File with the class names: one name per line, also with colours as name,r,g,b, or "
        "JSON, such as a config.json with id2label.",
    ),
    click.option(
        "--dropout",
        type=Number(0, 1, min_open=True, max_open=True),
        help="Dropout rate before the classifier.  [default: 0.2]",
    ),
)


def source(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the --from options to a command, which receives them as the argument `source`: a Source,
    or None without --from.
    """

    @wraps(command)
    def collected(path: Path | None, **given: Any) -> Any:
        mine = {name: given.pop(name) for name in _WITH_SOURCE}
        facts = {name: value for name, value in mine.items() if value is not None}
        if path is None:
            if facts:
                raise click.UsageError(f"--{next(iter(facts))} says something of --from: give both")
            return command(source=None, **given)
        check_network(path)
        check_classes(facts.get("classes"))
        needs_onnx()
        from export.source import Source  # noqa: PLC0415

        return command(source=Source(path=path, **facts), **given)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected


def needs_onnx() -> None:
    """Raise MissingDependency, with the remedy, unless the packages for exporting are installed."""
    for package in ("jaxtyping", "onnx", "onnxscript", "safetensors", "torch"):
        if find_spec(package) is None:  # imported where it is used: a second for a known graph
            raise MissingDependency(
                f"exporting needs {package}", remedy="pip install 'balentacq[export]'"
            )
