"""Command-line options for the runtime of a graph."""

import click

from scorer.runtimes import NAMES, PRECISIONS

runtime = click.option(
    "--runtime",
    type=click.Choice(("auto", *NAMES)),
    default="auto",
    show_default=True,
    help="Runtime that computes the graph; auto takes the fastest one that is installed.",
)
precision = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    help="Precision in which the network computes; the scores behind it are always "
    "float32. bfloat16 needs OpenVINO and a processor that has it.",
)
threads = click.option(
    "--threads",
    type=click.IntRange(1),
    help="Number of images that are scored at the same time.  [default: one per core]",
)
