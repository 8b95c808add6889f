"""scorer serve: the annotation page, from the command line."""

import secrets
from pathlib import Path

import click

from scorer import options
from scorer.console import cores, say
from scorer.errors import BadInput, MissingDependency
from scorer.labels.store import SUFFIX, Store
from scorer.pool import list_pool
from scorer.runtimes import choose, open_graph

_SHUTDOWN_S = 10


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
@options.runtime
@options.precision
@options.threads
def serve_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    pool_path: Path,
    graph: Path,
    labels: Path,
    n: int,
    min_distance: float,
    seed: int,
    host: str,
    port: int,
    runtime: str,
    precision: str,
    threads: int | None,
) -> None:
    """Open the annotation page: one pixel of a photograph at a time, a key per class.

    The pool is ranked in the background, best images first. Every answer is on the disk before the
    page goes on; trainer fit and scorer rank read the same file. Several annotators at once are
    never asked for the same pixel.

    \b
    Examples:
      scorer serve --pool ./images --graph scorer.onnx --labels labels.db
      scorer serve --min-distance 12 --port 8080
      trainer fit --labels labels.db
    """
    try:
        import uvicorn  # noqa: PLC0415

        from scorer.service import app  # noqa: PLC0415
        from scorer.service.annotation import Annotation  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            f"the annotation page needs {error.name}", remedy="pip install 'balentacq[serve]'"
        ) from error
    if labels.suffix != SUFFIX:
        raise BadInput(
            f"--labels {labels}: a store ends in {SUFFIX}",
            remedy="labels of other kinds are taken in with: scorer labels import",
        )
    opened = open_graph(
        choose(runtime, precision, graph), graph, workers=threads or cores(), precision=precision
    )
    pool = list_pool(pool_path)
    annotation = Annotation(
        pool,
        opened,
        Store(labels, opened.contract.classes),
        n=n,
        distance=min_distance,
        seed=seed,
    )
    token = None if host in app.LOOPBACK else secrets.token_urlsafe()
    say(f"{len(pool)} images in {pool_path}; answers go into {labels}")
    query = "" if token is None else f"/?token={token}"
    say(f"open http://{host}:{port}{query} in a browser; Ctrl-C ends it", style="green")
    annotation.start()
    try:
        uvicorn.run(
            app.create(annotation, token=token),
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    finally:
        annotation.stop()
    say(f"answers are in {labels}; next: trainer fit --labels {labels}")
