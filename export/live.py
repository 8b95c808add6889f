"""The process of a live session that learns: labels.db is watched, and after some answers the head
is fitted again and the graph exported, for the service to take over.

    python -m export.live --folder . --every 10

One line of JSON on stdout for every graph. It runs at low priority: the page never waits for it.
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
_NAMING_S = 3.0  # whoever names a class may name another
_TRIES = 100  # to open a store that is being made


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
    """The loop. service: where models go beside the folder, if it is on another machine; a line on
    stdout for each.
    """

    def __init__(
        self, home: Home, where: str | None, steps: int, pace: Pace, service: RemoteStore | None
    ) -> None:
        self.home, self.where, self.steps, self.pace = home, where, steps, pace
        self.service = service
        self._learner: Learner | None = None
        self._worker: Worker | None = None
        self._names: Sequence[str] = ()
        self._named = monotonic()  # when they were last others
        # A model that was killed on its way to the service.
        self._unpublished = newest(home)

    def run(self, opened: Answered) -> None:
        """Until the process is ended."""
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
            self._worker = Worker(self.home, self._learner, self.pace, self._publish_doubts)
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
@click.option("--service")
@click.option("--every", type=click.IntRange(1), default=10, show_default=True)
@click.option("--pause", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--steps", type=click.IntRange(10), default=500, show_default=True)
def main(
    folder: Path, where: str | None, service: str | None, every: int, pause: float, steps: int
) -> None:
    """Learn from labels.db of a live session, or from a service, again and again."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    home = Home(folder)
    remote = RemoteStore(service, os.environ.get(TOKEN)) if service else None
    process = Process(home, where, steps, Pace(every=every, pause=pause), remote)
    with closing(process), nullcontext(remote) if remote else _opened(home.labels) as opened:
        process.run(opened)


if __name__ == "__main__":
    Program("live", commands={"run": main}).main(["run", *sys.argv[1:]])
