"""What a ranking did with the images of its pool."""

import csv
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scorer.files import replacing
from scorer.ranking.part import Counts
from scorer.ranking.shard import Shards
from scorer.ranking.skips import Skips
from scorer.ranking.table import Row
from scorer.selection.result import Skipped


@dataclass
class Summary(Skips):
    """Every image of the pool is counted in `ranked` or, by its reason, in `reasons`.

    kept: done by an earlier run; asked: images in the ranking; short: images with fewer than n
    pixels left; passing: skipped for what may have passed when the same command is given again;
    strangers: labelled images that are not in the pool. measured, nonnegative: as in part.Counts.
    labelled: images of the pool with labels, and first: the first rows of the ranking of whole
    images, where it says why.
    """

    images: int = 0
    kept: int = 0
    ranked: int = 0
    pixels: int = 0
    asked: int = 0
    short: int = 0
    passing: int = 0
    measured: int = 0
    nonnegative: float = 0.0
    strangers: int = 0
    labelled: int = 0
    first: list[Row] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """Of an image's pixels, how many have BalEnt ≥ 0 on average; None where it is not known."""
        return self.nonnegative / self.measured if self.measured else None

    def add(self, counts: Counts) -> None:
        """Those of a part."""
        for name, count in vars(counts).items():
            setattr(self, name, getattr(self, name) + count)

    def as_dict(self) -> dict[str, Any]:
        """For programs. Of the ranking, not of the run: the same whether it was cut or not."""
        return {
            "images": self.images, "ranked": self.ranked, "pixels": self.pixels,
            "short": self.short, "nonnegative": self.share,
            "skipped": dict(sorted(self.reasons.items())),
        }  # fmt: skip


def summarise(shards: Shards, skipped_path: Path) -> Summary:
    """Count what the parts say of themselves; the skipped go into a file, if there are any."""
    summary = Summary()
    with ExitStack() as stack:
        writer = None
        for number in range(shards.manifest.shards):
            counts = shards.counts(number)
            summary.add(counts)
            if counts.ranked == counts.images:
                continue
            if writer is None:
                file = stack.enter_context(replacing(skipped_path))
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(("image", "reason", "detail"))
            for one in shards.read(number):
                if isinstance(one, Skipped):
                    writer.writerow((one.image, one.reason, one.detail))
                    summary.skip(one)
    if not summary.skipped:
        skipped_path.unlink(missing_ok=True)
    return summary
