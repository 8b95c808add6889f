"""Command-line options for the executor, and for the part of the work to do."""

import re
from typing import Any

import click

from scorer.console import Number

LIST = "list"


class _Slice(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """I/N: task number I, from 0, of N tasks; or "list"."""

    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | str:
        if isinstance(value, tuple) or value == LIST:
            return value  # type: ignore[no-any-return]
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value)
        if not found or not int(found[1]) < int(found[2]):
            self.fail(
                f"{value!r}: write I/N with I from 0 to N - 1, such as 0/10, or {LIST}", param, ctx
            )
        return int(found[1]), int(found[2])


executor = click.option(
    "--executor",
    "--engine",
    "executor",
    type=click.Choice(("threads", "processes", "ray")),
    default="threads",
    show_default=True,
    help="What does the work: threads of this process, several processes, or the actors of "
    "a Ray cluster. --engine is the former name.",
)
workers = click.option(
    "--workers",
    type=click.IntRange(1, 4096),
    default=2,
    show_default=True,
    help="Number of processes or actors. Each of them takes --threads images at the same "
    "time, or one.",
)
address = click.option(
    "--address", help="Address of the Ray cluster.  [default: this machine alone]"
)
gpus = click.option(
    "--gpus",
    type=Number(0, 16),
    default=0.0,
    show_default=True,
    help="Number of GPUs of each actor; with 0.5, two actors share one.",
)
shard = click.option(
    "--shard",
    type=click.IntRange(1, 65536),
    default=64,
    show_default=True,
    help="Number of images in a part of the work: what a thread has to do again when it is killed.",
)
task = click.option(
    "--task",
    type=_Slice(),
    help="Part of the work, for tasks of a cluster scheduler: I/N does every N-th part "
    "from the I-th on, list only lists the pool. The same command without --task "
    "does what is missing, and finishes.",
)
