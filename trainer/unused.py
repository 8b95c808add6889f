"""Warns of label files of the same project that are not used for training."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.errors import BadLabels
from scorer.labels import Labels
from scorer.labels.store import SUFFIX
from trainer import clicks
from trainer.dataset import Dataset

if TYPE_CHECKING:
    from trainer.listener import Listener


def tell(
    learned: Labels, path: Path, beside: Iterable[Path], dataset: Dataset, listener: "Listener"
) -> None:
    """Report for every file in `beside` how many of its labelled pixels are missing in `learned`,
    which was read from `path`, and the command that merges them.
    """
    seen = {path.resolve()}
    for other in beside:
        if other.resolve() in seen or not other.is_file():
            continue
        seen.add(other.resolve())
        try:
            missing = _pixels(clicks.read(other, dataset)) - _pixels(learned)
        except BadLabels as error:
            listener.tell(f"{other} is not used: {error}", warning=True)
            continue
        if missing:
            listener.tell(
                f"{other} has {len(missing)} labelled pixels that {path} does not have, and they "
                f"are not used; {_remedy(path, other)}",
                warning=True,
            )


def _pixels(labels: Labels) -> set[tuple[str, int, int]]:
    return {
        (image, one.row, one.col)
        for image, of_image in labels.clicks.items()
        for one in clicks.with_class(of_image)
    }


def _remedy(path: Path, other: Path) -> str:
    """The command that merges both files into a label store, one of the two or a new one."""
    if other.suffix.lower() == SUFFIX:
        return f"train on it with --labels {other}, after: {_command(path, other)}"
    into = path if path.suffix.lower() == SUFFIX else path.with_name(f"labels{SUFFIX}")
    return f"to use them: {_command(other, into)}"


def _command(source: Path, into: Path) -> str:
    return f"scorer labels import {source} --format csv --annotator NAME --labels {into}"
