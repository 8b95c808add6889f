"""The process of a live session that learns: labels.db is watched, and after some answers the head
is fitted again and the graph exported, for the service to take over.

    python -m export.live --folder . --every 10

One line of JSON on stdout for every graph. It runs at low priority: the page never waits for it.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
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
from scorer.labels import Labels, learned, store  # noqa: E402
from scorer.labels.answered import Answered  # noqa: E402
from scorer.labels.learned import Learned, write_doubts  # noqa: E402
from scorer.labels.store import Reader  # noqa: E402
from trainer import dataset  # noqa: E402
from trainer.dataset import Dataset  # noqa: E402
from trainer.live.audit import Audit, measure  # noqa: E402
from trainer.live.doubts import Doubts  # noqa: E402
from trainer.live.home import Home, begin, extend  # noqa: E402
from trainer.live.learner import Learner, can_learn  # noqa: E402
from trainer.recipe import HeadRecipe  # noqa: E402

_LOOK_S = 0.1
_NICE = 10
_NAMING_S = 3.0  # whoever names a class may name another
_TRIES = 100  # to open a store that is being made
_OPTIONS = GraphOptions(stride=None)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """When to learn: after so many rows of the store, or after so many seconds without one; and not
    before there are `least` labels. doubt: after how many labels the answers are looked at again,
    if there was no pause before.
    """

    every: int = 10
    pause: float = 2.0
    least: int = 20
    doubt: int = 50


class Worker:
    """Learns from answers for as long as it runs."""

    def __init__(self, home: Home, learner: Learner, pace: Pace) -> None:
        self.home, self.learner, self.pace = home, learner, pace
        self._like, self._doubts = self._structure(), Doubts(learner)
        self._rows, self._learned = 0, _rows_learned(home)  # of the store: seen, and learned from
        self._since = monotonic()  # the last row
        # What the newest model learned from, until that is looked at again.
        self._newest: Labels | None = None
        self._doubted = 0  # labels, when that was done
        self._seen: tuple[int, Labels, Labels] | None = None  # rows, and what they say

    def renew(self, learner: Learner) -> None:
        """Go on with a learner of more classes: the next look learns from all answers."""
        self.learner, self._doubts = learner, Doubts(learner)
        self._like, self._learned, self._newest = self._structure(), -self.pace.every, None
        self._seen = None

    def _structure(self) -> ModelProto:
        """A graph of what has not learned yet: it is traced now, while nobody waits for it."""
        network, card = self.learner.untrained()
        contract = contract_for(network, card, _OPTIONS)
        return bake(network, contract, earlier(self.home.graph))

    def look(self, opened: Answered) -> Learned | None:
        """Learn if it is time to; what came of it."""
        rows = opened.length()
        if rows != self._rows:
            self._rows, self._since = rows, monotonic()
        is_pause = monotonic() - self._since >= self.pace.pause
        due = rows - self._learned >= (1 if is_pause else self.pace.every)
        labels, audit = self._read(opened)
        if not due:
            is_idle = not (self.learner.prepare(labels) or self.learner.prepare(audit))
            if is_idle and is_pause:
                self._doubt()
            return None
        if not can_learn(labels, self.pace.least):
            self._learned = rows
            return None
        self._since = monotonic()  # should it fail, it is tried again after a pause
        found = self._learn(rows, labels, audit, opened.confirmed())
        self._learned, self._newest = rows, labels
        return found

    def _read(self, opened: Answered) -> tuple[Labels, Labels]:
        """What the rows of now teach and what they measure, read once."""
        if self._seen is None or self._seen[0] != self._rows:
            self._seen = self._rows, opened.labels(), opened.audit()
        return self._seen[1:]

    def look_again(self) -> None:
        """At all answers, if many have come since the last time without a pause."""
        if self._newest and self._newest.labelled - self._doubted >= self.pace.doubt:
            self._doubt()

    def _learn(self, rows: int, labels: Labels, random: Labels, confirmed: float | None) -> Learned:
        begin = monotonic()
        self._doubts.suspect(labels)
        network, card = self.learner.learn(labels)
        self._doubts.learned(labels)
        fitted = monotonic()
        contract = contract_for(network, card, _OPTIONS)
        self._like = bake(network, contract, self._like)
        save(self._like, self.home.graph)
        exported = monotonic()
        audit = self._audited(random)
        return Learned(
            rows=rows,
            labels=card.training["labels"],
            images=card.training["images"],
            gathered_and_fitted=round(fitted - begin, 3),
            exported=round(exported - fitted, 3),
            audit=None if audit is None else asdict(audit),
            confirmed=confirmed,
        )

    def _doubt(self) -> None:
        if self._newest is not None:
            write_doubts(self.home.doubts, self._doubts.decide(self._newest))
            self._doubted, self._newest = self._newest.labelled, None

    def _audited(self, labels: Labels) -> Audit | None:
        truth, predicted = self.learner.predict(labels)
        return measure(truth, predicted, self.learner.dataset.classes.names) if len(truth) else None


def _rows_learned(home: Home) -> int:
    """What the graph that is there has learned from, by the log of the session."""
    models = learned.read(home.log)
    return models[-1].rows if models and home.graph.exists() else 0


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    """The store, once the service has made it."""
    tries = 0
    with ExitStack() as stack:
        while True:
            try:
                opened = stack.enter_context(store.reading(path, store.classes_of(path)))
                break
            except BadLabels:
                tries += path.exists()
                if tries > _TRIES:
                    raise
            sleep(_LOOK_S)
        yield opened


class Process:
    """The loop. learned from `opened`; a line on stdout for every graph."""

    def __init__(self, home: Home, where: str | None, steps: int, pace: Pace) -> None:
        self.home, self.where, self.steps, self.pace = home, where, steps, pace
        self._learner: Learner | None = None
        self._worker: Worker | None = None
        self._names: Sequence[str] = ()
        self._named = monotonic()  # when they were last others

    def run(self, opened: Answered) -> None:
        """Until the process is ended."""
        while True:
            try:
                if self._follow(opened.reread_classes()):
                    self._look(opened)
            except Failure as error:
                say(f"no new model: {error}", style="yellow")
            sleep(_LOOK_S)

    def close(self) -> None:
        if self._learner is not None:
            self._learner.close()

    def _look(self, opened: Answered) -> None:
        assert self._worker is not None
        found = self._worker.look(opened)
        if found is not None:
            print(learned.append(self.home.log, found), flush=True)  # noqa: T201
            self._worker.look_again()

    def _follow(self, names: Sequence[str]) -> bool:
        """Learn the classes of now; whether there are enough of them."""
        if self._learner is not None and self._learner.dataset.classes.names == names:
            return True
        if names != self._names:
            self._names, self._named = names, monotonic()
        is_continued = self._learner is None and self.home.dataset.exists()
        if not is_continued and monotonic() - self._named < _NAMING_S:
            return False
        found = self._dataset(names)
        if found is None:
            return False
        self.close()
        self._learner = Learner(found, self.home.model, HeadRecipe(steps=self.steps))
        if self._worker is None:
            self._worker = Worker(self.home, self._learner, self.pace)
        else:
            self._worker.renew(self._learner)
        return True

    def _dataset(self, names: Sequence[str]) -> Dataset | None:
        """That of these classes; None while the service does not know enough of them."""
        if not self.home.dataset.exists():
            assert self.where is not None
            return begin(self.home, self.where, names) if len(names) > 1 else None
        found = dataset.read(self.home.dataset)
        if len(names) > len(found.classes.names):
            return extend(self.home, names)
        return found if found.classes.names == names else None


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=".", show_default=True)
@click.option("--pool", "where")
@click.option("--every", type=click.IntRange(1), default=10, show_default=True)
@click.option("--pause", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=500, show_default=True)
def main(folder: Path, where: str | None, every: int, pause: float, steps: int) -> None:
    """Learn from labels.db of a live session, again and again."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    home = Home(folder)
    process = Process(home, where, steps, Pace(every=every, pause=pause))
    with closing(process), _opened(home.labels) as opened:
        process.run(opened)


if __name__ == "__main__":
    Program("live", commands={"run": main}).main(["run", *sys.argv[1:]])
