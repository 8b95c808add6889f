"""The summary of a ranking."""

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
    """Counts of a ranking. Every image of the pool is counted in `ranked` or, by reason, in
    `reasons`.

    kept: images of an earlier run; asked: images with chosen pixels; short: images with fewer than
    n eligible pixels; passing: images skipped for reasons that may not apply to the next run;
    strangers: labelled images that are not in the pool. measured, nonnegative: see part.Counts.
    labelled: labelled images in the pool, and first: first rows of the ranking of whole images, if
    it has reasons.
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
        """Mean share of an image's pixels with BalEnt ≥ 0; None if unknown."""
        return self.nonnegative / self.measured if self.measured else None

    def add(self, counts: Counts) -> None:
        """Add the counts of a part."""
        for name, count in vars(counts).items():
            setattr(self, name, getattr(self, name) + count)

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON values; they do not depend on interruptions of the run."""
        return {
            "images": self.images, "ranked": self.ranked, "pixels": self.pixels,
            "short": self.short, "nonnegative": self.share,
            "skipped": dict(sorted(self.reasons.items())),
        }  # fmt: skip


def summarise(shards: Shards, skipped_path: Path) -> Summary:
    """Add up the counts of all parts, and write the file of skipped images, if there are any."""
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
