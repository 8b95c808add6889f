"""Starts the service, and shuts it down."""

import math
import os
import secrets
import signal
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import uvicorn

from scorer.console import cores, say
from scorer.errors import BadInput, Failure
from scorer.instance_lock import instance_lock
from scorer.labels.store import SUFFIX, Store
from scorer.options import TOKEN
from scorer.pools import Index, list_pool
from scorer.ranking.messages import warn_of_neighbours
from scorer.runtimes import choose, open_graph
from scorer.runtimes.base import Runtime
from scorer.runtimes.blank import Blank, is_blank
from scorer.runtimes.cpu import OnnxRuntime
from scorer.runtimes.kept import Features, open_halves
from scorer.segmentation.network import open_segmenter
from scorer.service import address, app
from scorer.service.annotation import Annotation
from scorer.service.connection import Connection
from scorer.service.guard import Limits, is_loopback
from scorer.service.inbox import Inbox
from scorer.service.scoring import Scoring
from scorer.service.segmenting import Segmenter
from scorer.service.served import Served


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The options of scorer serve, by name."""

    where: str
    graph: Path
    network: Path | None
    labels: Path
    n: int
    min_distance: float | None
    seed: int
    host: str
    port: int
    batch: int
    waiting: int
    max_upload: int
    time_limit: float
    runtime: str
    precision: str
    threads: int | None
    threads_per_image: int
    classes: tuple[str, ...] | None
    new_classes: bool
    learner: bool
    keep_features: int
    size: tuple[int, int]
    ahead: int | None
    audit: float

    @property
    def workers(self) -> int:
        """Number of images that are scored at the same time."""
        return self.threads or max(1, cores() // self.threads_per_image)

    def opened(self) -> Served:
        """The graph, which can be reloaded; random pixels while there is none. Raises BadGraph."""
        needs_no_graph = self.classes is not None or self.new_classes
        features, workers = Features(self.keep_features * 1_000_000), self.workers

        def reopen() -> Runtime:
            if needs_no_graph and not self.graph.exists():
                return Blank(self.classes or (), self.size, workers=workers)
            is_cpu = choose(self.runtime, self.precision, self.graph) == "cpu"
            fits = is_cpu and self.threads_per_image == 1
            halves = open_halves(self.graph, features, workers=workers) if fits else None
            return halves or self.open(self.graph)

        return Served(reopen)

    def open(self, path: Path) -> Runtime:
        """Open a graph with the options of the service. Raises BadGraph, MissingDependency."""
        name = choose(self.runtime, self.precision, self.graph)
        if self.threads_per_image == 1:
            return open_graph(name, path, workers=self.workers, precision=self.precision)
        if name != "cpu":
            raise BadInput(
                f"--threads-per-image {self.threads_per_image}: the runtime {name} does not divide "
                "an image among threads",
                remedy="leave it away, or choose --runtime cpu",
            )
        return OnnxRuntime(path, workers=self.workers, threads=self.threads_per_image)

    def segmenter(self) -> Segmenter | None:
        """The segmenter for /v1/segment; None without --network. Raises BadGraph."""
        if self.network is None:
            return None
        opened = open_segmenter(self.runtime, self.network, workers=self.threads or cores())
        return Segmenter(opened, waiting=self.waiting)

    def store(self, served: Served) -> Store:
        """The label store of the graph's classes, and of those added to it. Raises BadLabels."""
        if not self.new_classes:
            return Store(self.labels, served.runtime.contract.classes)
        if not is_blank(served.runtime.contract):
            Store(self.labels, served.runtime.contract.classes, grows=True).close()
        return Store(self.labels, self.classes or (), grows=True)


def serve(options: ServeOptions) -> None:
    """Run the service until a signal ends it. Raises BadInput, Failure."""
    labels = options.labels
    if labels.suffix.lower() != SUFFIX:
        raise BadInput(
            f"--labels {labels}: a store ends in {SUFFIX}",
            remedy="import labels of other formats with: scorer labels import",
        )
    if options.audit and options.ahead is None:
        raise BadInput(
            "--audit needs pixels that are chosen just in time",
            remedy="give --ahead, such as --ahead 8",
        )
    served, pool = options.opened(), _confined(options.where)
    segmenter = options.segmenter()
    alone = instance_lock(
        labels, "scorer serve",
        "several annotators can use that service at once: each opens its address in a browser",
    )  # fmt: skip
    with closing(address.listen(options.host, options.port)) as listening, alone:
        store = options.store(served)
        if not is_blank(served.runtime.contract):
            warn_of_neighbours(served.runtime.contract, options.min_distance)
        annotation = Annotation(
            pool, served, store,
            n=options.n, distance=options.min_distance, seed=options.seed,
            ahead=options.ahead, audit=options.audit,
        )  # fmt: skip
        say(f"{len(pool)} images in {options.where}; answers go into {labels}")
        _run(options, annotation, segmenter, listening)
    say(f"answers are in {labels}; next: trainer fit --labels {labels}")


def _confined(where: str) -> Index:
    pool, outside = list_pool(where).confined()
    if outside:
        say(f"{outside} images are links out of {where}: they are not shown", style="yellow")
    return pool


def _run(
    options: ServeOptions,
    annotation: Annotation,
    segmenter: Segmenter | None,
    listening: socket,
) -> None:
    """Answer requests until a signal ends it. Raises Failure if the server does not start."""
    own = os.environ.get(TOKEN) or secrets.token_urlsafe()
    token = None if is_loopback(options.host) else own
    scoring = Scoring(annotation.served, waiting=options.waiting, batch=options.batch)
    limits = Limits(upload=options.max_upload * 1_000_000, seconds=options.time_limit)
    inbox = Inbox(options.graph, options.open) if options.learner else None
    server = uvicorn.Server(
        uvicorn.Config(
            app.create(
                annotation,
                scoring,
                token=token,
                limits=limits,
                inbox=inbox,
                segmenter=segmenter,
            ),
            http=Connection,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=math.ceil(2 * options.time_limit) + 1,
        )
    )
    shown = address.shown(listening, options.host, token)
    say(f"open {shown} in a browser; Ctrl-C ends it", style="green")
    annotation.start()
    _reload_on_hangup(annotation)
    # uvicorn handles it and then raises it again, but shutdown is not finished.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with suppress(KeyboardInterrupt):  # uvicorn handles this, too, and then raises it
            server.run(sockets=[listening])
    finally:
        scoring.stop()
        if segmenter is not None:
            segmenter.stop()
        annotation.stop()
    if not server.started:
        raise Failure("the service could not start", remedy="the log above gives the reason")


def _reload_on_hangup(annotation: Annotation) -> None:
    def reload() -> None:
        try:
            if not annotation.rounds.reload():
                say("the graph is the same as before")
        except Failure as error:
            say(f"the graph stays as it was: {error}", style="red")

    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload).start())
