"""Command-line options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scorer.console import Distance
from scorer.errors import BadInput, BadPool
from scorer.images.depth import MOST
from scorer.images.encoded import AS_STORED, Reading
from scorer.labels import class_name
from scorer.labels.conflict import REFUSE, RULES
from scorer.pools import declared

FILE = click.Path(path_type=Path)
# An environment variable, because command lines are visible to other users.
TOKEN = "BALENTACQ_TOKEN"  # noqa: S105

graph = click.option(
    "--graph",
    type=FILE,
    default="scorer.onnx",
    show_default=True,
    help="Scoring graph (.onnx), or TensorRT engine (.engine).",
)
n = click.option(
    "--n",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Number of pixels to choose in each image.",
)
min_distance = click.option(
    "--min-distance",
    type=Distance(),
    default="auto",
    show_default=True,
    help="Minimum distance between chosen pixels, in pixels of the original image. auto "
    "derives it from the image size and n: a quarter of the side of the square that "
    "each of the n pixels would have to itself, or half of that side where fewer than "
    "0.1 % of the pixels have a BalEnt of 0 or more; half as much to pixels that are "
    "labelled already; no distance for random, margin and powerbald, which choose "
    "at random. 0 is the rule of the paper: no distance.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the acquisitions that draw random numbers: margin, powerbald and random.",
)


resume = click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Continue an interrupted run of the same command, or begin anew.",
)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Classes(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Names separated by commas, or a file with one name per line."""

    name = "NAME,...|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        try:
            lines = value.split(",")
            if _is_file(value):
                lines = Path(value).read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value} cannot be read: {error}", param, ctx)
        names = tuple(name for name in map(str.strip, lines) if name)
        if len(names) < 2:
            missing = "" if _is_file(value) else ", or the path of a file that exists"
            self.fail(f"{value!r}: expected at least two names{missing}", param, ctx)
        try:
            for index, name in enumerate(names):
                class_name.check(name, names[:index])
        except BadInput as error:
            self.fail(str(error), param, ctx)
        return names


def _is_file(text: str) -> bool:
    """Whether a file of this name exists; False for texts too long for a file name."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def classes(purpose: str) -> Decorator:
    """The option --classes; purpose: start of its help."""
    return click.option(
        "--classes",
        type=_Classes(),
        help=f"{purpose}; separated by commas, or a file with one per line.",
    )


def on_conflict(who: str) -> Decorator:
    """The option --on-conflict; who: source of the answers, for its help."""
    return click.option(
        "--on-conflict",
        type=click.Choice(RULES),
        default=REFUSE,
        show_default=True,
        help=f"What counts where {who} a pixel different answers: none, and the command fails; the "
        "newest; or the one that was given most often.",
    )


def pool(
    purpose: str = "Pool of images", *, default: str | None = "images", bare: bool = False
) -> Decorator:
    """The option --pool, with --bit-depth and --bands, which become part of the pool's address.

    purpose: start of its help. bare: whether the place may also be given as an argument.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = _pool_option(purpose, default)(_DEPTH(_BANDS(command)))
        return _BARE(command) if bare else command

    return decorate


def _keep_place(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[_PLACE] = value


def _either_place(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """The place of the argument or of --pool, extended by --bit-depth and --bands."""
    bare = context.meta.get(_PLACE)
    source = context.get_parameter_source(option.name or "")
    if bare is not None and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(f"{bare} and --pool {value}: give the pool once")
    place = bare or value
    reading = Reading(bit_depth=context.meta["bit_depth"], bands=context.meta["bands"])
    if place is None and reading != AS_STORED:
        raise click.UsageError(
            "--bit-depth and --bands are of the images of a --pool, and there is none."
        )
    return None if place is None else declared.address(place, reading)


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    assert option.name is not None
    context.meta[option.name] = value


def _keep_bands(context: click.Context, option: click.Parameter, value: str | None) -> None:
    try:
        _keep(context, option, None if value is None else declared.bands_of(value))
    except BadPool as error:
        raise click.BadParameter(f"{error}; {error.remedy}", context, option) from error


_PLACE = "balentacq.place"
_BARE = click.argument(
    "place", metavar="[PLACE]", required=False, is_eager=True, expose_value=False,
    callback=_keep_place,
)  # fmt: skip
_DEPTH = click.option(
    "--bit-depth",
    type=click.IntRange(declared.LEAST, MOST),
    is_eager=True,
    expose_value=False,
    callback=_keep,
    help="Bits that the samples of 16-bit images in --pool hold, where their files do not say "
    "it: 10, 12, 14, or 16 for pictures that are nearly black.",
)
_BANDS = click.option(
    "--bands",
    metavar="RED,GREEN,BLUE",
    is_eager=True,
    expose_value=False,
    callback=_keep_bands,
    help="Which bands are red, green and blue in TIFF files of several bands in --pool, as in "
    "4,3,2; the first is 1.",
)


def _pool_option(purpose: str, default: str | None) -> Decorator:
    return click.option(
        "--pool",
        "where",
        metavar="PLACE",
        default=default,
        show_default=default is not None,
        callback=_either_place,
        help=f"{purpose}: a folder of images, of tar files or of Parquet files; one such file; a "
        ".txt list of paths and URLs; or the URL of one of these, such as s3://bucket/folder.",
    )
