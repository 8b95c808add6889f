"""The training process of a live session: fits the head to new answers and exports the graph.

    python -m export.live --folder . --every 10

It polls labels.db, or the service on another machine, which loads the new graph. It prints one line
of JSON to stdout per graph, and runs at low priority so that the page stays responsive.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from time import monotonic, sleep

import click

from scorer.console import wait_quietly

wait_quietly()  # before PyTorch is loaded

from export.worker import Pace, Worker, newest  # noqa: E402
from scorer.console import Program, say  # noqa: E402
from scorer.errors import BadLabels, Failure  # noqa: E402
from scorer.labels import learned, store  # noqa: E402
from scorer.labels.answered import Answered  # noqa: E402
from scorer.labels.learned import Doubt, Learned, write_doubts  # noqa: E402
from scorer.labels.store import Reader  # noqa: E402
from scorer.options import TOKEN  # noqa: E402
from trainer import dataset  # noqa: E402
from trainer.dataset import Dataset  # noqa: E402
from trainer.live.home import Home, begin, extend  # noqa: E402
from trainer.live.learner import Learner  # noqa: E402
from trainer.live.remote import Refused, RemoteStore  # noqa: E402
from trainer.recipe import HeadRecipe  # noqa: E402

_LOOK_S = 0.1
_POLL_S = 0.5  # between two requests to a service
_LATER_S = 1.0  # after a failure
_NICE = 10
_NAMING_S = 3.0  # wait this long after a new class: another may follow
_TRIES = 100  # attempts to open a store while the service creates it


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    """Open the label store as soon as the service has created it. Raises BadLabels."""
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
    """The training loop of a live session. service: remote service that also receives every model;
    None if it runs on this machine. Every model is reported in a line on stdout.
    """

    def __init__(
        self, home: Home, where: str | None, steps: int, pace: Pace, service: RemoteStore | None
    ) -> None:
        self.home, self.where, self.steps, self.pace = home, where, steps, pace
        self.service = service
        self._learner: Learner | None = None
        self._worker: Worker | None = None
        self._names: Sequence[str] = ()
        self._named = monotonic()  # time of the last change of the classes
        # A model that was saved, but whose upload was interrupted.
        self._unpublished = newest(home)

    def run(self, opened: Answered) -> None:
        """Train until the process is ended. Raises Refused."""
        while True:
            try:
                if self._follow(opened.reread_classes()):
                    self._look(opened)
            except Refused:
                raise
            except Failure as error:
                say(f"no new model: {error}", style="yellow")
                sleep(_LATER_S)
            sleep(_LOOK_S if self.service is None else _POLL_S)

    def close(self) -> None:
        """Close the learner."""
        if self._learner is not None:
            self._learner.close()

    def _look(self, opened: Answered) -> None:
        assert self._worker is not None
        found = self._worker.look(opened)
        if found is not None:
            learned.append(self.home.log, found)
            self._unpublished = found
        if self._unpublished is not None:
            self._publish(self._unpublished)
            self._unpublished = None
            self._worker.look_again()

    def _publish(self, found: Learned) -> None:
        if self.service is not None:
            self.service.publish(self.home.graph, found)
        print(json.dumps(asdict(found)), flush=True)  # noqa: T201

    def _publish_doubts(self, doubts: Sequence[Doubt]) -> None:
        write_doubts(self.home.doubts, doubts)
        if self.service is not None:
            self.service.publish_doubts(doubts)

    def _follow(self, names: Sequence[str]) -> bool:
        """Rebuild the learner if the classes have changed; returns whether there are enough
        classes.
        """
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
            self._worker = Worker(self.home, self._learner, self.pace, self._publish_doubts)
        else:
            self._worker.renew(self._learner)
        return True

    def _dataset(self, names: Sequence[str]) -> Dataset | None:
        """The dataset of these classes; None while the service has too few classes."""
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
@click.option("--service")
@click.option("--every", type=click.IntRange(1), default=10, show_default=True)
@click.option("--pause", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=500, show_default=True)
def main(
    folder: Path, where: str | None, service: str | None, every: int, pause: float, steps: int
) -> None:
    """Train on labels.db of a live session, or on the answers of a service, until ended."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    home = Home(folder)
    remote = RemoteStore(service, os.environ.get(TOKEN)) if service else None
    process = Process(home, where, steps, Pace(every=every, pause=pause), remote)
    with closing(process), nullcontext(remote) if remote else _opened(home.labels) as opened:
        process.run(opened)


if __name__ == "__main__":
    Program("live", commands={"run": main}).main(["run", *sys.argv[1:]])
