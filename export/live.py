"""The process of a live session that learns: labels.db is watched, and after some answers the head
is fitted again and the graph exported, for the service to take over.

    python -m export.live --folder . --every 10

One line of JSON on stdout for every graph. It runs at low priority: the page never waits for it.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep

import click

from scorer.console import wait_quietly

wait_quietly()  # before PyTorch is loaded

from onnx import ModelProto  # noqa: E402

from export.graph import GraphOptions, bake, contract_for, earlier, save  # noqa: E402
from scorer.console import Program, say  # noqa: E402
from scorer.errors import BadLabels, Failure  # noqa: E402
from scorer.labels import Labels, store  # noqa: E402
from scorer.labels.store import Reader  # noqa: E402
from trainer import dataset  # noqa: E402
from trainer.live.audit import Audit, measure  # noqa: E402
from trainer.live.home import Home  # noqa: E402
from trainer.live.learner import Learner, can_learn  # noqa: E402
from trainer.recipe import HeadRecipe  # noqa: E402

_LOOK_S = 0.1
_NICE = 10
_TRIES = 100  # to open a store that is being made
_OPTIONS = GraphOptions(stride=None)


@dataclass(frozen=True)
class Learned:
    """What a graph has learned from, the seconds that it took, what random pixels say of it."""

    rows: int  # of the store
    labels: int
    images: int
    gathered_and_fitted: float
    exported: float
    audit: Audit | None


@dataclass(frozen=True, kw_only=True)
class Pace:
    """When to learn: after so many rows of the store, or after so many seconds without one; and not
    before there are `least` labels.
    """

    every: int = 10
    pause: float = 2.0
    least: int = 20


class Worker:
    """Learns from a store for as long as it runs."""

    def __init__(self, home: Home, learner: Learner, pace: Pace) -> None:
        self.home, self.learner, self.pace = home, learner, pace
        self._like = self._structure()
        self._rows, self._learned = 0, _rows_learned(home)  # of the store: seen, and learned from
        self._since = monotonic()  # the last row

    def _structure(self) -> ModelProto:
        """A graph of what has not learned yet: it is traced now, while nobody waits for it."""
        network, card = self.learner.untrained()
        contract = contract_for(network, card, _OPTIONS)
        return bake(network, contract, earlier(self.home.graph))

    def look(self, opened: Reader) -> Learned | None:
        """Learn if it is time to; what came of it."""
        rows = opened.length()
        if rows != self._rows:
            self._rows, self._since = rows, monotonic()
        is_pause = monotonic() - self._since >= self.pace.pause
        due = rows - self._learned >= (1 if is_pause else self.pace.every)
        if not due:
            return None
        labels = opened.labels()
        if not can_learn(labels, self.pace.least):
            self._learned = rows
            return None
        self._since = monotonic()  # should it fail, it is tried again after a pause
        learned = self._learn(rows, labels, opened.audit())
        self._learned = rows
        return learned

    def _learn(self, rows: int, labels: Labels, audit: Labels) -> Learned:
        begin = monotonic()
        network, card = self.learner.learn(labels)
        fitted = monotonic()
        contract = contract_for(network, card, _OPTIONS)
        self._like = bake(network, contract, self._like)
        save(self._like, self.home.graph)
        return Learned(
            rows=rows,
            labels=card.training["labels"],
            images=card.training["images"],
            gathered_and_fitted=round(fitted - begin, 3),
            exported=round(monotonic() - fitted, 3),
            audit=self._audited(audit),
        )

    def log(self, learned: Learned) -> str:
        """Keep the line of a model; the line."""
        line = json.dumps(asdict(learned))
        with self.home.log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return line

    def _audited(self, labels: Labels) -> Audit | None:
        truth, predicted = self.learner.predict(labels)
        return measure(truth, predicted, self.learner.dataset.classes.names) if len(truth) else None


def _rows_learned(home: Home) -> int:
    """What the graph that is there has learned from, by the log of the session."""
    try:
        last = json.loads(home.log.read_text("utf-8").splitlines()[-1])
        return int(last["rows"]) if home.graph.exists() else 0
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return 0


@contextmanager
def _opened(home: Home, classes: Sequence[str]) -> Iterator[Reader]:
    """The store, once the service has made it."""
    tries = 0
    with ExitStack() as stack:
        while True:
            try:
                opened = stack.enter_context(store.reading(home.labels, classes))
                break
            except BadLabels:
                tries += home.labels.exists()
                if tries > _TRIES:
                    raise
            sleep(_LOOK_S)
        yield opened


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=".", show_default=True)
@click.option("--every", type=click.IntRange(1), default=10, show_default=True)
@click.option("--pause", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=500, show_default=True)
def main(folder: Path, every: int, pause: float, steps: int) -> None:
    """Learn from labels.db of a live session, again and again."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    home = Home(folder)
    found = dataset.read(home.dataset)
    with Learner(found, home.model, HeadRecipe(steps=steps)) as learner:
        worker = Worker(home, learner, Pace(every=every, pause=pause))
        with _opened(home, found.classes.names) as opened:
            while True:
                try:
                    learned = worker.look(opened)
                except Failure as error:
                    say(f"no new model: {error}", style="yellow")
                else:
                    if learned is not None:
                        print(worker.log(learned), flush=True)  # noqa: T201
                sleep(_LOOK_S)


if __name__ == "__main__":
    Program("live", commands={"run": main}).main(["run", *sys.argv[1:]])
