"""The training data of a head: the vectors at all labelled pixels, kept on disk."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scorer.errors import BadImage, BadLabels
from scorer.files import cannot_write
from scorer.images.photograph import size
from scorer.labels import Labels
from trainer import clicks
from trainer.hypercolumns.album import Album, in_order
from trainer.hypercolumns.cache import Vectors
from trainer.hypercolumns.maps import Sums, mean_and_deviation
from trainer.hypercolumns.view import VIEWS
from trainer.split import Split


@dataclass
class Pixels:
    """The training data of a head.

    vectors: float16 [N, channels], of every labelled pixel in every view, memory-mapped; classes:
    int64 [N]; mean, deviation: per channel over the photographs. images, labels: their numbers.
    skipped: unusable photographs, with the reasons.
    """

    vectors: Vectors
    classes: clicks.Indices
    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    images: int
    labels: int
    skipped: list[tuple[str, str]] = field(default_factory=list)


def gather(
    album: Album, split: Split, labels: Labels, on_image: Callable[[int], None] = lambda _: None
) -> Pixels:
    """Collect the vectors of all photographs with labels, in the order of the split.

    on_image: called with the number of photographs done. Raises BadLabels if no label can be used.
    """
    names = [name for name in split.images.names if clicks.with_class(labels.of(name))]
    look = partial(_look, album, split, labels)
    found: list[clicks.Indices] = []
    skipped: list[tuple[str, str]] = []
    sums: Sums | float = 0.0
    place = Path(tempfile.gettempdir())
    with cannot_write(place), tempfile.TemporaryFile() as file:
        for done, seen in enumerate(in_order(look, names), start=1):
            if isinstance(seen, BadImage):
                skipped.append((names[done - 1], str(seen)))
            else:
                vectors, classes, more = seen
                for one in vectors:
                    file.write(one.tobytes())
                    found.append(classes)
                sums = sums + more
            on_image(done)
        if not found:
            reason = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
            raise BadLabels(
                f"no image has a usable label{reason}",
                remedy="labels are class names or indices; masks hold classes of dataset.toml",
            )
        file.flush()
        flat = np.memmap(file, np.float16, "r")
    classes = np.concatenate(found)
    mean, deviation = mean_and_deviation(np.asarray(sums))
    return Pixels(
        flat.reshape(len(classes), -1), classes, mean, deviation,
        images=len(names) - len(skipped), labels=len(classes) // len(VIEWS), skipped=skipped,
    )  # fmt: skip


def _look(
    album: Album, split: Split, labels: Labels, name: str
) -> tuple[list[Vectors], clicks.Indices, Sums] | BadImage:
    try:
        source = split.images.image(name)
        if name in labels.sizes:
            labels.check_size(name, size(source))
        return album.labelled(source, name, clicks.with_class(labels.of(name)))
    except BadImage as error:
        return error
