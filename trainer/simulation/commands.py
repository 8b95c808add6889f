"""Chooses the next pixels with the commands export and scorer, as a user would."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable

from scorer.errors import SOME_SKIPPED, Failure
from scorer.images.encoded import AS_STORED, parts
from scorer.pools import list_pool
from scorer.pools.declared import address
from scorer.pools.folder import real
from scorer.pools.index import folder_of
from scorer.processes import end_with_parent
from scorer.selection.spacing import AUTO
from trainer.simulation.look import Asked, Question


def in_graph(question: Question, on_image: Callable[[int], None]) -> Asked:
    """Choose the next pixels with export onnx and scorer rank. Raises Failure if a command fails.

    on_image: called once, with the number of all images.
    """
    graph, ranking = question.work / "scorer.onnx", question.work / "ranking.csv"
    own_code = ("--network", question.network) if ":" in question.network else ()
    _command(
        "export", "onnx", "--model", question.model, "--out", graph, "--mc", question.passes,
        "--acquisition", question.acquisition, "--stride", question.stride or "auto",
        "--top", _top(question), *own_code,
    )  # fmt: skip
    budget = () if question.budget is None else ("--budget", question.budget)
    _command(
        "scorer", "rank", "--pool", _place(question), "--graph", graph, "--n", question.n,
        "--labels", question.labels, "--exclude", question.exclude, "--seed", question.seed,
        "--min-distance", "auto" if question.distance is AUTO else question.distance,
        "--out", ranking, *budget,
    )  # fmt: skip
    on_image(len(question.pool))
    graph.unlink()
    shutil.rmtree(question.work / "pool", ignore_errors=True)
    asked: dict[str, list[tuple[int, int]]] = {}
    with ranking.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            asked.setdefault(row["image"], []).append((int(row["row"]), int(row["col"])))
    return asked


def _top(question: Question) -> int:
    return max(64, question.n)


def _place(question: Question) -> str:
    """A pool of just the question's images: the original folder, or a folder of links."""
    pool, folder, reading = question.pool, question.work / "pool", AS_STORED
    if folder_of(pool) is not None and list_pool(pool.where).names == pool.names:
        return pool.where
    for name in pool.names:
        (content, reading), place = parts(pool.image(name)), folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        elif not place.is_symlink():
            place.symlink_to(real(content))
    return address(str(folder), reading)


def _command(*words: object) -> None:
    """Run a command of this package. Raises Failure with its error message."""
    found = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-m", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=end_with_parent,
    )
    if found.returncode not in (0, SOME_SKIPPED):
        raise Failure(
            f"{' '.join(map(str, words))} failed:\n{found.stderr.strip()}",
            remedy="run it by hand to see more",
        )
