"""The unit of work of a segmentation: writes the masks of the images of a shard."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scorer import provenance
from scorer.errors import BadGraph, BadImage
from scorer.pools import Entry, Pool, check_name
from scorer.ranking.manifest import Manifest
from scorer.ranking.part import digest
from scorer.segmentation import part, pictures
from scorer.segmentation.network import PlainNetwork, open_segmenter
from scorer.segmentation.part import Done
from scorer.segmentation.pictures import Folders
from scorer.segmentation.segmenter import Manner, segment


@dataclass(frozen=True)
class Wanted:
    """folders: for the output files. manner: how images are segmented."""

    folders: Folders
    manner: Manner = field(default_factory=Manner)

    def absolute(self) -> "Wanted":
        """With absolute paths."""
        return Wanted(self.folders.absolute(), self.manner)


class Segments:
    """The shards of a pool that is listed in `folder`, which also holds their parts;
    thread-safe.
    """

    def __init__(self, network: PlainNetwork, pool: Pool, folder: Path, wanted: Wanted) -> None:
        self.network, self.pool, self.folder, self.wanted = network, pool, folder, wanted
        self.manifest, self.workers = Manifest(folder), network.workers

    def score(
        self,
        shard: int,
        on_image: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Write the masks of a shard, then its part; an unusable image is a row of the part.

        on_image: called for every image; for the last one when the part is on the disk. stop: once
        set, no server is waited for. Raises CannotWrite.
        """
        entries, done = self.manifest.read(shard), []
        for entry in entries:
            done.append(self._one(entry, stop))
            if len(done) < len(entries):
                on_image()
        part.write(self.folder, shard, self._stamp(entries), done)
        on_image()

    def changed(self, shard: int) -> str | None:
        """Why the part of a shard is invalid: "" if it is missing, else what has changed; None if
        valid.
        """
        found, entries = part.read(self.folder, shard), self.manifest.read(shard)
        if found is None or part.may_pass(found[1]):
            return ""
        if found[0] != self._stamp(entries):
            return "networks, options, images or versions"
        return None if all(self._is_there(one) for one in found[1]) else "masks"

    def _one(self, entry: Entry, stop: threading.Event | None) -> Done:
        folders = self.wanted.folders
        try:
            check_name(entry.name)
            source = self.pool.read(entry, stop)
            found = segment(self.network, source, self.wanted.manner, stop)
            contract = self.network.contract
            pictures.write(folders, entry.name, source, found, contract.classes, contract.colours)
        except BadImage as error:
            for path in folders.of(entry.name).values():  # of an earlier run, when it was usable
                path.unlink(missing_ok=True)
            return Done(entry.name, reason=error.reason, detail=error.detail)
        return Done(entry.name, *found.label.shape)

    def _is_there(self, done: Done) -> bool:
        """Whether all files of an image exist."""
        files = self.wanted.folders.of(done.image) if not done.reason else {}
        return all(path.is_file() for path in files.values())

    def _stamp(self, entries: list[Entry]) -> str:
        """A hash of all that the masks depend on."""
        options = (self.wanted.manner, sorted(self.wanted.folders.wanted))
        images = [(*entry,) for entry in entries]
        decoding, computing = provenance.decoding(), provenance.computing(self.network.name)
        return digest([self.network.contract.sha256, options, images, decoding, computing])


@dataclass(frozen=True)
class Segmenting:
    """What another process needs to segment shards of a pool: a small object, the same for all."""

    graph: Path
    runtime: str
    workers: int
    sha256: str
    pool: Pool
    folder: Path
    wanted: Wanted

    def open(self) -> Segments:
        """Open the shards in this process. Raises BadGraph if the network has changed."""
        network = open_segmenter(self.runtime, self.graph, workers=self.workers)
        if network.contract.sha256 != self.sha256:
            raise BadGraph(
                f"{self.graph} is another network than the one that this began with",
                remedy="give the same command again",
            )
        return Segments(network, self.pool, self.folder, self.wanted)
