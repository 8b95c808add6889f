"""The unit of work: the images of one shard of a pool, scored into one part file.

Whoever computes it - a thread, a process, a machine of a cluster - and however often: its bytes
are the same.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer import provenance
from scorer.console import say
from scorer.errors import BadImage, BadInput, CannotWrite
from scorer.labels import Labels
from scorer.pools import Entry, Pool
from scorer.pools.folder import of_file
from scorer.ranking import part
from scorer.ranking.manifest import Manifest
from scorer.ranking.part import Counts, Stamp, digest
from scorer.runtimes.base import Runtime
from scorer.selection import overlay
from scorer.selection.exclusion import Exclusion, mask_name
from scorer.selection.result import Ranked, Skipped
from scorer.selection.select import Ranker
from scorer.selection.spacing import AUTO


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What is done to every image.

    n: pixels. distance: how far those of an image lie apart, as in spacing.of. labels:
    pixels that were asked already. exclude: a folder of masks of what is never chosen. pictures: a
    folder for overlays. uncertain: the share of pixels with at least this value is measured. why:
    what is seen in every image as a whole is kept. batch: images scored together, on which no
    result depends.
    """

    n: int = 5
    distance: float | None = AUTO
    seed: int = 0
    labels: Labels | None = None
    exclude: Path | None = None
    pictures: Path | None = None
    uncertain: float | None = None
    why: bool = False
    batch: int = 1

    @property
    def want_map(self) -> bool:
        return self.pictures is not None or self.uncertain is not None or self.why


class Shards:
    """The shards of a pool that is listed in `folder`, where their parts go; for any thread."""

    def __init__(self, runtime: Runtime, pool: Pool, folder: Path, criteria: Criteria) -> None:
        self.runtime, self.pool, self.folder, self.criteria = runtime, pool, folder, criteria
        self.manifest = Manifest(folder)
        self.without_pictures: CannotWrite | None = None  # why, once one could not be written
        self._labels = criteria.labels or Labels({})
        self._ranker = Ranker(
            runtime,
            Exclusion(self._labels, criteria.exclude),
            n=criteria.n,
            distance=criteria.distance,
            seed=criteria.seed,
            want_map=criteria.want_map,
            sights=criteria.why,
        )

    @property
    def workers(self) -> int:
        """How many shards are scored at a time in a process."""
        return self.runtime.workers

    def score(
        self,
        shard: int,
        on_image: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Write the part of a shard; on_image is called for every image, the last one's when the
        part is on the disk. Raises CannotWrite; an image that cannot be used is a row.

        stop: once it is set, no server is waited for.
        """
        entries = self.manifest.read(shard)
        by_name = {entry.name: entry for entry in entries}
        results: list[Ranked | Skipped] = []
        for start in range(0, len(entries), self.criteria.batch):
            names = [entry.name for entry in entries[start : start + self.criteria.batch]]
            found = self._ranker.rank(names, lambda name: self.pool.read(by_name[name], stop))
            results += [self._seen(by_name[one.image], one) for one in found]
            for _ in found if len(results) < len(entries) else found[1:]:
                on_image()
        stamp = self.stamp(entries)
        classes = self.runtime.contract.classes
        part.write(
            self.folder, shard, results, classes, stamp, self.criteria.n, sights=self.criteria.why
        )
        on_image()

    def read(self, shard: int) -> Iterator[Ranked | Skipped]:
        """What is in the part of a shard, in order. Raises BadInput."""
        return part.read(self.folder, shard, self.runtime.contract.classes)

    def counts(self, shard: int) -> Counts:
        """How much is in it. Raises BadInput."""
        footer = part.footer_of(self.folder, shard)
        if footer is None:
            raise BadInput(
                f"{part.path(self.folder, shard)} is gone, or damaged",
                remedy="give the same command again",
            )
        return footer[1]

    def stamp(self, entries: Sequence[Entry]) -> Stamp:
        """What the part of these images depends on."""
        criteria = self.criteria
        options = (
            criteria.n, criteria.distance, criteria.seed, criteria.uncertain, self.manifest.shard,
            *(path and str(path.absolute()) for path in (criteria.pictures, criteria.exclude)),
            *(("why",) if criteria.why else ()),
        )  # fmt: skip
        images = (
            (*entry, list(self._labels.of(entry.name)), self._mask_mark(entry.name))
            for entry in entries
        )
        contract, computing = self.runtime.contract.sha256, provenance.computing(self.runtime.name)
        decoding = provenance.decoding()
        return Stamp(contract, digest(options), digest(images), decoding, computing)

    def changed(self, shard: int) -> str | None:
        """Why the part of a shard does not hold: "" where there is none, or what has changed."""
        found = part.footer_of(self.folder, shard)
        if found is None or found[1].passing:
            return ""
        return self.stamp(self.manifest.read(shard)).differs(found[0])

    def _mask_mark(self, name: str) -> str | None:
        if self.criteria.exclude is None:
            return None
        return of_file(name, self.criteria.exclude / mask_name(name)).mark

    def _seen(self, entry: Entry, result: Ranked | Skipped) -> Ranked | Skipped:
        """A result with its picture written and its share measured, and without its maps."""
        if isinstance(result, Skipped):
            return result
        if self.criteria.pictures is not None and self.without_pictures is None:
            try:
                colours = self.runtime.contract.colours
                overlay.write(self.criteria.pictures, self.pool.read(entry), result, colours)
            except BadImage as error:  # it vanished after it was scored
                return Skipped(result.image, error.reason, error.detail)
            except CannotWrite as error:  # the scores are worth more than the pictures
                self.without_pictures = error
                say(f"{error}: the ranking goes on without pictures", style="yellow")
        return result.measured(self.criteria.uncertain)
