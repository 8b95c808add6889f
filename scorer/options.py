"""Options of the command line that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scorer.console import Distance
from scorer.runtimes import NAMES, PRECISIONS

FILE = click.Path(path_type=Path)

graph = click.option(
    "--graph", type=FILE, default="scorer.onnx", show_default=True, help="The scoring graph."
)
runtime = click.option(
    "--runtime",
    type=click.Choice(("auto", *NAMES)),
    default="auto",
    show_default=True,
    help="What runs the graph; auto: the fastest one installed.",
)
precision = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    help="Of the network in front of the scoring; bfloat16 needs openvino and such a processor.",
)
threads = click.option(
    "--threads", type=click.IntRange(1), help="Images scored at a time.  [default: one per core]"
)
n = click.option(
    "--n", type=click.IntRange(1), default=5, show_default=True, help="Pixels per image."
)
min_distance = click.option(
    "--min-distance",
    type=Distance(),
    default="auto",
    show_default=True,
    help="Of the pixels of an image from each other and from labelled ones, in its own pixels; "
    "auto: a quarter of the side of the square that an image has for each of n, half of that side "
    "where BalEnt is nowhere 0, to labelled pixels half as far, none for random, margin and "
    "powerbald, which chance spreads; 0: the paper's rule.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="For the acquisitions that draw at random: margin, powerbald, random.",
)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def pool(purpose: str = "", *, default: str | None = "images") -> Decorator:
    """--pool, the same everywhere, with what the command does with it in front of its help."""
    return click.option(
        "--pool",
        "where",
        metavar="PLACE",
        default=default,
        show_default=default is not None,
        help=f"{purpose} Folder of images, tar or Parquet files, or one of these, or a .txt list "
        "of paths and URLs; here, or at a URL such as s3://bucket/folder.".lstrip(),
    )
