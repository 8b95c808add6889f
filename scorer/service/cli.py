"""The command scorer serve."""

from typing import Any

import click

from scorer import options
from scorer.console import Number, Size
from scorer.errors import MissingDependency
from scorer.runtimes import options as runtime_options


@click.command("serve")
@options.pool(bare=True)
@options.graph
@click.option(
    "--network",
    type=options.FILE,
    help="Plain network that segments the images that are sent to /v1/segment.  [default: none]",
)
@click.option(
    "--labels",
    type=options.FILE,
    default="labels.db",
    show_default=True,
    help="Label store that the answers are written to. It is created if it does not exist.",
)
@options.n
@options.min_distance
@options.seed
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Network address to listen on. Any address but that of this machine itself "
    "requires a token, which is printed: the value of the environment variable BALENTACQ_TOKEN, or "
    "a new one.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes any port that is free.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of images of different requests that are scored together. More than one "
    "helps only a GPU.",
)
@click.option(
    "--waiting",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Number of images that may wait for scores. Beyond it the service answers 429.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Largest request with images, in megabytes.",
)
@click.option(
    "--time-limit",
    type=Number(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that a request may take to arrive, and then to be answered.",
)
@options.classes(
    "Names of the classes, for labelling without a graph: random pixels are asked until the file "
    "of --graph exists"
)
@click.option(
    "--new-classes",
    is_flag=True,
    help="Let annotators add classes in the page. Without --classes and a graph they also name the "
    "first ones.",
)
@click.option(
    "--learner",
    is_flag=True,
    help="Take graphs from a process that learns on another machine: trainer live --service.",
)
@click.option(
    "--keep-features",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="Memory for cached features of a frozen backbone, in megabytes. With them, a new graph of "
    "trainer live only computes its head.",
)
@click.option(
    "--size",
    type=Size(),
    default="360x480",
    show_default=True,
    help="Size of the grid that random pixels are drawn on, HEIGHTxWIDTH, without a graph.",
)
@click.option(
    "--ahead",
    type=click.IntRange(1),
    help="Number of pixels that the newest graph chooses ahead of the annotators.  [default: the "
    "whole pool is ranked]",
)
@click.option(
    "--audit",
    type=Number(0, 0.5),
    default=0.0,
    show_default=True,
    help="With --ahead: share of the questions that are random pixels. Their answers measure the "
    "model, which never learns from them.",
)
@runtime_options.runtime
@runtime_options.precision
@runtime_options.threads
@click.option(
    "--threads-per-image",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of threads that score one image, with --runtime cpu: more answer a single request "
    "sooner, score fewer images per second, and may change the last digits of scores.",
)
def serve_command(**given: Any) -> None:
    """Open the annotation page and the scoring service.

    The page shows one pixel of a photograph at a time, with a key per class. The pool is ranked in
    the background, best images first. Every answer is on the disk before the page continues;
    trainer fit and scorer rank read the same file. Several annotators can work at the same time,
    and are never asked for the same pixel.

    Other programs send images to /v1/rank, to /v1/segment with --network, or tensors to /v2 (Open
    Inference Protocol). SIGHUP, or POST /v1/reload, loads a new graph from the same file without
    stopping; SIGTERM finishes the accepted requests.

    \b
    Examples:
      scorer serve --pool ./images --graph scorer.onnx --labels labels.db
      scorer serve --min-distance 12 --port 8080
      scorer serve --host 0.0.0.0 --new-classes --ahead 8 --audit 0.1 --learner
      curl -F images=@street.jpg 'http://127.0.0.1:8000/v1/rank?n=5'
      scorer serve --network network.onnx
      curl -H accept:image/png -F images=@street.jpg http://127.0.0.1:8000/v1/segment > mask.png
      trainer fit --labels labels.db
    """
    try:
        from scorer.service.launch import ServeOptions, serve  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            f"the annotation page needs {error.name}", remedy="pip install 'balentacq[serve]'"
        ) from error
    serve(ServeOptions(**given))
