"""Options of the command line that say what somebody's network does not say of itself."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from scorer import options
from scorer.console import Number
from scorer.errors import MissingDependency
from scorer.images.preprocessing import CHANNELS, LAYOUTS, PRESETS

_WITH_SOURCE = ("output", "preset", "mean", "std", "channels", "layout", "classes", "dropout")


class ThreeNumbers(click.ParamType):  # type: ignore[type-arg]
    """Such as 0.485,0.456,0.406."""

    name = "a,b,c"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != 3 or not all(-1e6 < number < 1e6 for number in numbers):
            self.fail(f"{value!r}: write three numbers, such as 0.485,0.456,0.406", param, ctx)
        return numbers


_OPTIONS = (
    click.option(
        "--from",
        "path",
        type=options.FILE,
        help="Somebody's segmentation network (.onnx) instead of a model: graft the head onto it.",
    ),
    click.option("--output", help="Which of its outputs to follow.  [default: the first]"),
    click.option(
        "--preset",
        type=click.Choice(tuple(PRESETS)),
        help="How its images are prepared.  [default: imagenet; raw for uint8 inputs]",
    ),
    click.option("--mean", type=ThreeNumbers(), help="Of values from 0 to 1, or from 0 to 255."),
    click.option("--std", type=ThreeNumbers(), help="The same; both in its order of channels."),
    click.option("--channels", type=click.Choice(CHANNELS), help="The order that it takes."),
    click.option(
        "--layout", type=click.Choice(LAYOUTS), help="Of its input.  [default: where the 3 stands]"
    ),
    click.option(
        "--classes",
        type=options.FILE,
        help="Names: a line each, or JSON, such as a config.json with id2label.",
    ),
    click.option(
        "--dropout",
        type=Number(0, 1, min_open=True, max_open=True),
        help="Rate of the dropout before its classifier.  [default: 0.2]",
    ),
)


def source(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which takes them as one Source, or None, called `source`."""

    @wraps(command)
    def collected(path: Path | None, **given: Any) -> Any:
        mine = {name: given.pop(name) for name in _WITH_SOURCE}
        said = {name: value for name, value in mine.items() if value is not None}
        if path is None:
            if said:
                raise click.UsageError(f"--{next(iter(said))} says something of --from: give both")
            return command(source=None, **given)
        needs_onnx()
        from export.source import Source  # noqa: PLC0415

        return command(source=Source(path=path, **said), **given)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected


def needs_onnx() -> None:
    """Raise MissingDependency, with the remedy, unless exporting can work here."""
    try:
        import jaxtyping  # noqa: F401, PLC0415
        import onnx  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
        import safetensors  # noqa: F401, PLC0415
        import torch  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependency(
            f"exporting needs {error.name}", remedy="pip install 'balentacq[export]'"
        ) from error
