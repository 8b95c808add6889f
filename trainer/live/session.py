"""Runs a live session: the service and the training process, each restarted if it ends."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from scorer.console import say
from scorer.errors import Failure
from scorer.labels import learned
from scorer.labels.learned import FEWEST
from scorer.options import TOKEN
from scorer.processes import end_with_parent
from trainer.live.home import Home, can_extend, settle

_LOOK_S = 0.2
_SHORT_S = 5.0  # a process that ends within this time has failed to start
_MOST, _MOST_KILLS = 5, 20  # failed starts in a row, by exit and by signal


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """Options of a live session.

    host, port: of the service; n: pixels per photograph in a row; every, pause, steps: of the
    training process (export/live.py). remote: URL of a service on another machine, used in place of
    a local one. whole_pool: every model ranks all photographs.
    """

    where: str
    size: tuple[int, int]
    host: str
    port: int
    n: int
    ahead: int
    audit: float
    every: int
    pause: float
    steps: int
    whole_pool: bool = False
    remote: str | None = None


class Session:
    """Keeps the processes of a live session running until it is stopped."""

    def __init__(self, home: Home, options: SessionOptions) -> None:
        self.home, self.options = home, options
        self.models = len(learned.read(home.log))
        self._service = None if options.remote else _Kept("the service", self._serving())
        self._learner = _Kept("the process that learns", self._learning(), self._hear)

    def run(self) -> None:
        """Run until Ctrl-C or SIGTERM. Raises Failure if a process cannot be kept running."""
        if self._service is not None:  # so that open pages stay valid when it restarts
            os.environ.setdefault(TOKEN, secrets.token_urlsafe())
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        try:
            while not stop.is_set():
                for process in filter(None, (self._service, self._learner)):
                    process.keep()
                sleep(_LOOK_S)
        finally:
            for process in filter(None, (self._learner, self._service)):
                process.end()
            if self._service is not None:
                settle(self.home)

    def _hear(self, line: str) -> None:
        """Report a new graph, and let the service load it."""
        try:
            model = json.loads(line)
            seconds = model["gathered_and_fitted"] + model["exported"]
            text = (
                f"{model['labels']} labels of {model['images']} photographs, "
                f"{seconds:.1f} s{_measured(model['audit'])}"
            )
        except (ValueError, KeyError, TypeError):
            say(line.rstrip())
            return
        self.models += 1
        say(f"model {self.models}: {text}", **model)
        if self._service is not None:
            self._service.signal(signal.SIGHUP)

    def _serving(self) -> Sequence[str]:
        one, (height, width) = self.options, self.options.size
        return [
            sys.executable, "-m", "scorer", "serve", "--pool", one.where,
            "--labels", str(self.home.labels), "--graph", str(self.home.graph),
            *self._classes(), "--size", f"{height}x{width}",
            "--host", one.host, "--port", str(one.port), "--n", str(one.n),
            *self._choosing(), "--threads", "1",
        ]  # fmt: skip

    def _choosing(self) -> Sequence[str]:
        """Options of the service: choose pixels ahead, with random ones in between, or rank the
        whole pool.
        """
        one = self.options
        if one.whole_pool:
            return []
        return ["--ahead", str(one.ahead), "--audit", str(one.audit)]

    def _classes(self) -> Sequence[str]:
        """Options for the class names, without any while they are still to be named in the page."""
        names = ["--classes", str(self.home.classes)] if self.home.dataset.exists() else []
        return [*names, *["--new-classes"] * can_extend(self.home)]

    def _learning(self) -> Sequence[str]:
        one = self.options
        return [
            sys.executable, "-m", "export.live", "--folder", str(self.home.folder),
            "--pool", one.where, *(["--service", one.remote] if one.remote else []),
            "--every", str(one.every), "--pause", str(one.pause), "--steps", str(one.steps),
        ]  # fmt: skip


def _prepared() -> None:
    """In a child process: end with the parent, and ignore SIGHUP until a handler is installed."""
    end_with_parent()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _measured(audit: dict[str, Any] | None) -> str:
    if audit is None or audit["pixels"] < FEWEST:
        return ""
    interval = f"{audit['accuracy_low']:.2f} to {audit['accuracy_high']:.2f}"
    return f"; right at {audit['accuracy']:.2f} ({interval}) of {audit['pixels']} random pixels"


class _Kept:
    """A process that is restarted when it ends. hear: called with each line of its stdout."""

    def __init__(
        self, name: str, command: Sequence[str], hear: Callable[[str], None] | None = None
    ) -> None:
        self._name, self._command, self._hear = name, command, hear
        self._process: subprocess.Popen[str] | None = None
        self._began, self._failures = 0.0, 0

    def keep(self) -> None:
        """Start the process, or restart it if it has ended. Raises Failure after too many failed
        starts.
        """
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._failures = self._failures + 1 if monotonic() - self._began < _SHORT_S else 0
            most = _MOST_KILLS if code < 0 else _MOST
            # exit codes that a restart does not change
            if self._failures >= most or code in (2, 3, 5):
                raise Failure(
                    f"{self._name} ended with exit code {code}",
                    remedy="its own message is above",
                )
            say(f"{self._name} ended ({code}) and is started again", style="yellow")
        self._began = monotonic()
        self._process = subprocess.Popen(  # noqa: S603  # ourselves
            self._command,
            stdout=subprocess.PIPE if self._hear else None,
            text=True,
            preexec_fn=_prepared,  # noqa: PLW1509  # it calls two system calls and nothing else
            start_new_session=True,  # Ctrl-C is for this process, which ends both in order
        )
        if self._hear is not None:
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def end(self) -> None:
        """Terminate the process and wait until it has ended."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            self._process.wait()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        assert self._hear is not None
        for line in process.stdout:
            self._hear(line)
