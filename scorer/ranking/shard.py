"""The unit of work of a ranking: scores the images of a shard into a part.

Its bytes are the same in a thread, a process or on a cluster, and in every repetition.
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
    """How every image is ranked.

    n: number of pixels. distance: between pixels of an image, as in spacing.of. labels: pixels that
    were already asked for. exclude: folder of masks of pixels never to choose. pictures: folder for
    overlays. uncertain: map value from which a pixel counts as uncertain; None: not measured. why:
    whether to keep properties of whole images. batch: images scored together; results do not depend
    on it.
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
    """The shards of a pool that is listed in `folder`, which also holds their parts;
    thread-safe.
    """

    def __init__(self, runtime: Runtime, pool: Pool, folder: Path, criteria: Criteria) -> None:
        self.runtime, self.pool, self.folder, self.criteria = runtime, pool, folder, criteria
        self.manifest = Manifest(folder)
        self.without_pictures: CannotWrite | None = None  # the first error in writing a picture
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
        """Number of shards that a process scores at a time."""
        return self.runtime.workers

    def score(
        self,
        shard: int,
        on_image: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Score a shard, and write its part. Raises CannotWrite; an unusable image is a row of the
        part.

        on_image: called for every image; for the last one when the part is on the disk. stop: once
        set, no server is waited for.
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
        """Yield the results in the part of a shard, in order. Raises BadInput."""
        return part.read(self.folder, shard, self.runtime.contract.classes)

    def counts(self, shard: int) -> Counts:
        """The counts of the part of a shard. Raises BadInput."""
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
        """Why the part of a shard is invalid: "" if it is missing, else what has changed; None if
        valid.
        """
        found = part.footer_of(self.folder, shard)
        if found is None or found[1].passing:
            return ""
        return self.stamp(self.manifest.read(shard)).differs(found[0])

    def _mask_mark(self, name: str) -> str | None:
        if self.criteria.exclude is None:
            return None
        return of_file(name, self.criteria.exclude / mask_name(name)).mark

    def _seen(self, entry: Entry, result: Ranked | Skipped) -> Ranked | Skipped:
        """Write the picture of a result and measure its uncertain share; returns it without its
        maps.
        """
        if isinstance(result, Skipped):
            return result
        if self.criteria.pictures is not None and self.without_pictures is None:
            try:
                colours = self.runtime.contract.colours
                overlay.write(self.criteria.pictures, self.pool.read(entry), result, colours)
            except BadImage as error:  # the file vanished after it was scored
                return Skipped(result.image, error.reason, error.detail)
            except CannotWrite as error:  # the ranking is worth more than its pictures
                self.without_pictures = error
                say(f"{error}: the ranking goes on without pictures", style="yellow")
        return result.measured(self.criteria.uncertain)
