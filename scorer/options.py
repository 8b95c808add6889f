"""Options of the command line that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scorer.console import Distance
from scorer.errors import BadInput, BadPool
from scorer.images.depth import MOST
from scorer.images.encoded import AS_STORED, Reading
from scorer.labels import class_name
from scorer.pools import declared

FILE = click.Path(path_type=Path)
# Of a service, in the environment: others can read a command line.
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
    """Names, separated by commas, or a file with one per line."""

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
    """Whether there is a file of this name; a long list of classes is none that could be."""
    try:
        return Path(text).is_file()
    except OSError:
        return False


def classes(purpose: str) -> Decorator:
    """--classes, with what they are for as its help."""
    return click.option(
        "--classes",
        type=_Classes(),
        help=f"{purpose}; separated by commas, or a file with one per line.",
    )


def pool(purpose: str = "Pool of images", *, default: str | None = "images") -> Decorator:
    """--pool, the same everywhere, with what the command does with it in front of its help; and
    --bit-depth and --bands, which go into the pool's address.
    """
    place = click.option(
        "--pool",
        "where",
        metavar="PLACE",
        default=default,
        show_default=default is not None,
        callback=_with_reading,
        help=f"{purpose}: a folder of images, of tar files or of Parquet files; one such file; a "
        ".txt list of paths and URLs; or the URL of one of these, such as s3://bucket/folder.",
    )
    depth = click.option(
        "--bit-depth",
        type=click.IntRange(declared.LEAST, MOST),
        is_eager=True,
        expose_value=False,
        callback=_keep,
        help="Bits that the samples of 16-bit images in --pool hold, where their files do not say "
        "it: 10, 12, 14, or 16 for pictures that are nearly black.",
    )
    bands = click.option(
        "--bands",
        metavar="RED,GREEN,BLUE",
        is_eager=True,
        expose_value=False,
        callback=_keep_bands,
        help="Which bands are red, green and blue in TIFF files of several bands in --pool, as in "
        "4,3,2; the first is 1.",
    )
    return lambda command: place(depth(bands(command)))


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    assert param.name is not None
    ctx.meta[param.name] = value


def _keep_bands(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    try:
        _keep(ctx, param, None if value is None else declared.bands_of(value))
    except BadPool as error:
        raise click.BadParameter(f"{error}; {error.remedy}", ctx, param) from error


def _with_reading(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    reading = Reading(bit_depth=ctx.meta["bit_depth"], bands=ctx.meta["bands"])
    if value is None and reading != AS_STORED:
        raise click.UsageError(
            "--bit-depth and --bands are of the images of a --pool, and there is none."
        )
    return None if value is None else declared.address(value, reading)
