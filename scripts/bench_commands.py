"""Measure what commands cost next to other work, and what spacing of pixels costs; as ratios.

scripts/bench --commands               a quarter of an hour on two cores

Every command alternates with its rival: A B A B; the result is the median of the ratios of pairs.
Other work: a process that keeps every core busy. Last line: all results as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from scorer.console import cores

ROOT = Path(__file__).parent.parent
BUSY = """import os
for _ in range({cores} - 1):
    if not os.fork():
        break
while True:
    pass
"""
HEAD = ("trainer", "fit", "--keep", "0")
WHOLE = ("trainer", "fit", "--network", "deeplabv3plus-efficientnet-lite0", "--epochs", "1",
         "--no-resume")  # fmt: skip
RANK = ("scorer", "rank", "--no-resume")


def main() -> None:
    """Draw a pool, train and export once, and run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _python(str(ROOT / "scripts/streets.py"), ".", "--train", str(args.images), "--val", "4",
                "--size", "360x480", "--seed", "0")  # fmt: skip
        _command("trainer", "init", ".", "--force")
        _command(*HEAD)
        for stride in (1, 4):
            _command("export", "onnx", "--stride", str(stride), "--out", f"{stride}.onnx")
        found = dict(_beside_other_work(args.rounds)) | dict(_with_spacing(2 * args.rounds))
        for name, ratio in found.items():
            print(f"{ratio:5.2f}  {name}")
        print(json.dumps(found))


def _beside_other_work(rounds: int) -> Iterator[tuple[str, float]]:
    commands = {"a head": HEAD, "a whole network": WHOLE, "": (*RANK, "--graph", "1.onnx")}
    for what, words in commands.items():
        name = f"{words[0]} {words[1]} {what}".strip()
        yield (
            f"{name}: beside other work against alone",
            _ratio(beside(words), alone(words), rounds),
        )


def _with_spacing(rounds: int) -> Iterator[tuple[str, float]]:
    for stride in (1, 4):
        for n in ("5", "20"):
            words = (*RANK, "--graph", f"{stride}.onnx", "--n", n)
            ratio = _ratio(ranking((*words, "--min-distance", "0")), ranking(words), rounds)
            yield (
                f"scorer rank, stride {stride}, n {n}: images/s with spacing against without",
                ratio,
            )


def _ratio(one: Callable[[], float], other: Callable[[], float], rounds: int) -> float:
    return median(one() / other() for _ in range(rounds))


def alone(words: tuple[str, ...]) -> Callable[[], float]:
    """A function that returns the seconds of a command."""

    def run() -> float:
        start = perf_counter()
        _command(*words)
        return perf_counter() - start

    return run


def beside(words: tuple[str, ...]) -> Callable[[], float]:
    """A function that returns the seconds of a command while another process keeps every core
    busy.
    """

    def run() -> float:
        with _busy():
            return alone(words)()

    return run


def ranking(words: tuple[str, ...]) -> Callable[[], float]:
    """A function that returns the seconds that a ranking reports, without the program's start."""

    def run() -> float:
        lines = _command(*words, "--log-json").splitlines()
        return next(float(told["seconds"]) for told in map(json.loads, lines) if "seconds" in told)

    return run


@contextmanager
def _busy() -> Iterator[None]:
    other = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(cores=cores())], start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(other.pid, 9)
        other.wait()


def _command(*words: str) -> str:
    return _python("-m", *words)


def _python(*words: str) -> str:
    """Run Python and return its stderr; a failure ends the comparison with that text."""
    command = [sys.executable, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr}")
    return done.stderr


if __name__ == "__main__":
    main()
