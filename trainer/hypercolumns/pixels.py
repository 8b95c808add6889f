"""What a head learns from: the vectors at all labelled pixels, on the disk and not in memory."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scorer.errors import BadImage, BadLabels
from scorer.geometry import Geometry
from scorer.images import size
from scorer.labels import Labels
from trainer import clicks
from trainer.hypercolumns.album import Album, in_order
from trainer.hypercolumns.cache import Kept
from trainer.hypercolumns.maps import mean_and_deviation
from trainer.split import Split


@dataclass
class Pixels:
    """vectors: float16 [N, channels], which the system reads from the disk as they are needed;
    labels: int64 [N]; mean, deviation: of all channels over the photographs. skipped: photographs
    that could not be used, and why.
    """

    vectors: npt.NDArray[np.float16]
    labels: clicks.Indices
    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    images: int
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)


def gather(
    album: Album, split: Split, labels: Labels, on_image: Callable[[int], None] = lambda _: None
) -> Pixels:
    """Those of all photographs with labels, in the order of the split."""
    names = [name for name in split.images.names if clicks.with_class(labels.of(name))]
    found: list[clicks.Indices] = []
    skipped: list[tuple[str, str]] = []
    sums: npt.NDArray[np.float64] | float = 0.0

    def look(name: str) -> tuple[Kept, clicks.Points, clicks.Indices] | tuple[str, str]:
        path = split.images.path(name)
        try:
            geometry = Geometry(size(path), album.size)
            points, classes = clicks.on_grid(name, clicks.with_class(labels.of(name)), geometry)
            return album.vectors(path, points), points, classes
        except BadImage as error:
            return name, str(error)

    with tempfile.TemporaryFile() as file:
        for done, seen in enumerate(in_order(look, names), start=1):
            if len(seen) == 2:
                skipped.append(seen)
            else:
                kept, points, classes = seen
                vectors = kept.at(points)
                assert vectors is not None
                file.write(vectors.tobytes())
                found.append(classes)
                sums = sums + kept.sums
            on_image(done)
        if not found:
            reason = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
            raise BadLabels(
                f"no image has a usable label{reason}",
                remedy="labels are class names or indices; masks hold classes of dataset.toml",
            )
        file.flush()
        classes = np.concatenate(found)
        flat = np.memmap(file, np.float16, "r")
        mean, deviation = mean_and_deviation(np.asarray(sums))
        return Pixels(flat.reshape(len(classes), -1), classes, mean, deviation, len(found), skipped)
