"""Console output of the three programs: messages and progress on stderr, data on stdout, exit
codes.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from scorer.errors import INTERRUPTED, Failure

stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(message: str, *, style: str = "", **more: Any) -> None:
    """Print a message on stderr; with --log-json, as a line of JSON.

    more: further fields of the JSON line.
    """
    if not log.as_json:
        stderr.print(message, style=style)
        return
    level = next((name for key, name in _LEVELS.items() if key in style), "info")
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "level": level, "message": message} | more
    click.echo(json.dumps(line), err=True)


@dataclass
class _Log:
    as_json: bool = False


log = _Log()  # one per process
_LEVELS = {"red": "error", "yellow": "warning"}
_EVERY_S = 10.0  # between two lines of progress


class _Lines(Progress):
    """Progress as occasional lines, for output that is not a terminal, or is JSON."""

    def __init__(self, unit: str) -> None:
        super().__init__(console=stderr, disable=True)
        self._unit, self._said = unit, monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        task = next(one for one in self.tasks if one.id == task_id)
        if (log.as_json and task.finished) or monotonic() - self._said >= _EVERY_S:
            self._said = monotonic()
            count = f"{task.completed:g}" + ("" if task.total is None else f" of {task.total:g}")
            words = "" if log.as_json or not task.completed else f": {count}"
            say(
                f"{task.description}{words}",
                done=task.completed, total=task.total, unit=self._unit,
            )  # fmt: skip


def quantity(number: int, noun: str) -> str:
    """A number with its noun: 1 image, 2 images."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def progress(unit: str) -> Progress:
    """A progress bar with count, rate in `unit`/s and time left, on stderr."""
    if log.as_json or not stderr.is_terminal:
        return _Lines(unit)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        console=stderr,
    )


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def wait_quietly() -> None:
    """Let waiting OpenMP threads sleep instead of spin, unless the environment says otherwise.

    Spinning threads compete with other processes for cores: next to other work, training was four
    times slower. Call this before PyTorch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # milliseconds, for Intel's and LLVM's OpenMP


class Program(click.Group):
    """A command group that reports errors as message, remedy and exit code, without a traceback."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run and exit. `--verbose` anywhere in the arguments adds the traceback of an error, and
        `--log-json` writes messages to stderr as JSON lines.
        """
        wait_quietly()
        args = list(sys.argv[1:] if args is None else args)
        verbose, log.as_json = "--verbose" in args, "--log-json" in args
        args = [arg for arg in args if arg not in {"--verbose", "--log-json"}]
        try:
            sys.exit(super().main(args, standalone_mode=False, **extra))
        except click.exceptions.Abort:
            say(f"interrupted{_then(args)}", style="yellow")
            sys.exit(INTERRUPTED)
        except click.ClickException as error:
            if log.as_json:
                say(error.format_message(), style="red", exit_code=error.exit_code)
            else:
                error.show()
            sys.exit(error.exit_code)
        except Failure as error:
            if verbose:
                stderr.print_exception()
            if log.as_json:
                say(str(error), style="red", remedy=error.remedy, exit_code=error.exit_code)
                sys.exit(error.exit_code)
            say(f"error: {error}", style="bold red")
            say(f"  {error.remedy}")
            sys.exit(error.exit_code)


# Commands that continue when repeated, and what they continue from.
_CONTINUE = {
    "fit": "what it has seen of the photographs, or the last whole epoch",
    "live": "the answers and the newest model",
    "rank": "the last whole part (--shard images)",
    "segment": "the last whole part (--shard images)",
    "simulate": "the last whole round",
    "supervised": "the last whole epoch",
}


def _then(args: Sequence[str]) -> str:
    """What the same command continues from when it is repeated; "" if it does not."""
    name = next((one for one in args if not one.startswith("-")), "")
    if name not in _CONTINUE or "--no-resume" in args:
        return ""
    return f"; the same command continues from {_CONTINUE[name]}"


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """HEIGHTxWIDTH, such as 360x480."""

    name = "HxW"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(click.FloatRange):
    """A number in a range; unlike click's type it rejects nan."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is not a number", param, ctx)
        return number


class Distance(click.ParamType):  # type: ignore[type-arg]
    """A distance in pixels, 0 or more, or auto, which gives None."""

    name = "NUMBER|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        if value is None or value == "auto":
            return None
        try:
            return Number(0).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r}: expected a number of pixels from 0 up, or auto", param, ctx)


def parse_size(text: str) -> tuple[int, int]:
    """Parse '360x480' as (360, 480). Raises ValueError for other texts and sides beyond 32 to
    8192.
    """
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise ValueError(f"{text!r} is not a size; write HEIGHTxWIDTH, such as 360x480")
    if not 32 <= int(height) <= 8192 or not 32 <= int(width) <= 8192:
        raise ValueError(f"{text}: each side must be between 32 and 8192")
    return int(height), int(width)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self._unit}/s" if speed else "", style="progress.data.speed")
