"""The command trainer live."""

import os
from pathlib import Path
from typing import Any

import click

from scorer import options
from scorer.console import Number, parse_size, say
from trainer.options import needs, needs_torch


@click.command("live")
@options.pool("Photographs to label", default=None)
@options.classes("Names of the classes")
@options.n
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Network address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Number of answers after which the model is trained again.",
)
@click.option(
    "--pause",
    type=Number(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Seconds without an answer after which the model is trained on the new answers.",
)
@click.option(
    "--steps",
    type=click.IntRange(10),
    default=500,
    show_default=True,
    help="Number of training steps of each model.",
)
@click.option(
    "--ahead",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Number of pixels that the newest model chooses ahead of the annotators.",
)
@click.option(
    "--audit",
    type=Number(0, 0.5),
    default=0.1,
    show_default=True,
    help="Share of the questions that are random pixels. Their answers measure the model, which "
    "never learns from them.",
)
@click.option(
    "--whole-pool",
    is_flag=True,
    help="Rank the whole pool with every model, best photographs first, in place of choosing a few "
    "pixels ahead. There are no random pixels that measure the model then.",
)
@click.option(
    "--service",
    "remote",
    metavar="URL",
    help="Learn for a service on another machine, which was started with: scorer serve --learner. "
    "Its photographs must lie under --pool here, too, with the same names.",
)
@click.option(
    "--token",
    envvar=options.TOKEN,
    help="Token of that service, as it was printed.  [environment: BALENTACQ_TOKEN]",
)
@click.option(
    "--out",
    type=options.FILE,
    default=".",
    show_default=True,
    help="Folder of dataset.toml, labels.db, model.safetensors and scorer.onnx.",
)
def live_command(
    where: str | None, classes: tuple[str, ...] | None, out: Path, token: str | None, **given: Any
) -> None:
    """Open the annotation page on photographs without labels, and train a model while you click.

    The first questions are random pixels. After 20 answers with two classes there is a model; from
    then on it chooses the pixels, and is trained again after every few answers. Classes can be
    added in the page; without --classes the first ones are named there, too. Ctrl-C ends the
    session, and the same command continues it. The folder can be used with every other command
    at any time.

    \b
    Examples:
      trainer live --pool ./images --classes road,building,sky,tree,car
      trainer live --pool ./images --classes classes.txt --out session
      trainer live --pool ./images
      trainer live
      trainer live --service http://first:8000 --pool /data/images --out session
    """
    needs_torch()
    needs("onnx", "graphs", "export")
    needs("fastapi", "pages", "serve")
    from scorer.pools import list_pool  # noqa: PLC0415
    from trainer.detection import suggested_size  # noqa: PLC0415
    from trainer.live.home import Home, prepare  # noqa: PLC0415
    from trainer.live.session import Session, SessionOptions  # noqa: PLC0415

    if token is not None:
        os.environ[options.TOKEN] = token  # the environment of the training process
    home = Home(out)
    found = prepare(home, where, classes)
    if found is None:
        assert where is not None
        images = list_pool(where)
        size = parse_size(suggested_size(images))
        say(f"{len(images)} photographs; their classes are named in the page")
    else:
        images, size = found.train.images, found.size
        say(f"{len(images)} photographs, classes {', '.join(found.classes.names)}")
    Session(home, SessionOptions(where=where or images.where, size=size, **given)).run()
    labels = "" if given["remote"] else f"labels are in {home.labels}, "
    model = f"the last model is in {home.model}" if home.model.exists() else "there is no model yet"
    say(f"{labels}{model}")
