"""scorer serve: the annotation page and the scoring service, from the command line."""

import math
import secrets
import signal
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer import options
from scorer.console import Number, cores, say
from scorer.errors import BadInput, Failure, MissingDependency
from scorer.labels.store import SUFFIX, Store
from scorer.pools import list_pool
from scorer.ranking.messages import warn_of_neighbours
from scorer.runtimes import choose, open_graph

if TYPE_CHECKING:
    from scorer.service.annotation import Annotation


@click.command("serve")
@options.pool()
@options.graph
@click.option(
    "--labels",
    type=options.FILE,
    default="labels.db",
    show_default=True,
    help="Where the answers go: a store that is made if it is not there.",
)
@options.n
@options.min_distance
@options.seed
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; any other than this machine's own needs a token, which is printed.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Images of different requests that are scored together; more helps a GPU alone.",
)
@click.option(
    "--waiting",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Images that may wait for scores; beyond them the answer is 429.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Megabytes of a request with images.",
)
@click.option(
    "--time-limit",
    type=Number(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that a request may take to arrive, and then to be answered.",
)
@options.runtime
@options.precision
@options.threads
def serve_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    where: str,
    graph: Path,
    labels: Path,
    n: int,
    min_distance: float | None,
    seed: int,
    host: str,
    port: int,
    batch: int,
    waiting: int,
    max_upload: int,
    time_limit: float,
    runtime: str,
    precision: str,
    threads: int | None,
) -> None:
    """Open the annotation page and the scoring service.

    The page shows one pixel of a photograph at a time, with a key per class.
    The pool is ranked in the background, best images first. Every answer is on the disk before the
    page goes on; trainer fit and scorer rank read the same file. Several annotators at once are
    never asked for the same pixel.

    Other programs send images to /v1/rank, or tensors to /v2 (Open Inference Protocol). SIGHUP, or
    POST /v1/reload, takes a new graph under the same name without stopping; SIGTERM finishes what
    was accepted.

    \b
    Examples:
      scorer serve --pool ./images --graph scorer.onnx --labels labels.db
      scorer serve --min-distance 12 --port 8080
      curl -F images=@street.jpg 'http://127.0.0.1:8000/v1/rank?n=5'
      trainer fit --labels labels.db
    """
    try:
        import uvicorn  # noqa: PLC0415

        from scorer.service import address, app  # noqa: PLC0415
        from scorer.service.alone import alone  # noqa: PLC0415
        from scorer.service.annotation import Annotation  # noqa: PLC0415
        from scorer.service.connection import Connection  # noqa: PLC0415
        from scorer.service.guard import Limits, is_loopback  # noqa: PLC0415
        from scorer.service.scoring import Scoring  # noqa: PLC0415
        from scorer.service.served import Served  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            f"the annotation page needs {error.name}", remedy="pip install 'balentacq[serve]'"
        ) from error
    if labels.suffix.lower() != SUFFIX:
        raise BadInput(
            f"--labels {labels}: a store ends in {SUFFIX}",
            remedy="labels of other kinds are taken in with: scorer labels import",
        )
    name = choose(runtime, precision, graph)
    served = Served(
        lambda: open_graph(name, graph, workers=threads or cores(), precision=precision)
    )
    pool, outside = list_pool(where).confined()
    if outside:
        say(f"{outside} images are links out of {where}: they are not shown", style="yellow")
    token = None if is_loopback(host) else secrets.token_urlsafe()
    limits = Limits(upload=max_upload * 1_000_000, seconds=time_limit)
    with closing(address.listen(host, port)) as listening, alone(labels):
        store = Store(labels, served.runtime.contract.classes)
        warn_of_neighbours(served.runtime.contract, min_distance)
        annotation = Annotation(pool, served, store, n=n, distance=min_distance, seed=seed)
        scoring = Scoring(served, waiting=waiting, batch=batch)
        server = uvicorn.Server(
            uvicorn.Config(
                app.create(annotation, scoring, token=token, limits=limits),
                http=Connection,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=math.ceil(2 * time_limit) + 1,
            )
        )
        say(f"{len(pool)} images in {where}; answers go into {labels}")
        shown = address.shown(listening, host, token)
        say(f"open {shown} in a browser; Ctrl-C ends it", style="green")
        annotation.start()
        _reload_on_hangup(annotation)
        # uvicorn ends by it, and then sends it to us once more: there is still something to close.
        signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            with suppress(KeyboardInterrupt):  # uvicorn ends by this, too, and then raises it
                server.run(sockets=[listening])
        finally:
            scoring.stop()
            annotation.stop()
    if not server.started:
        raise Failure("the service could not start: its log says why")
    say(f"answers are in {labels}; next: trainer fit --labels {labels}")


def _reload_on_hangup(annotation: "Annotation") -> None:
    def reload() -> None:
        try:
            if not annotation.reload():
                say("the graph is the same as before")
        except Failure as error:
            say(f"the graph stays as it was: {error}", style="red")

    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload).start())
