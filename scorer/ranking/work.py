"""What another process needs to score shards of a pool: a small object, the same for all."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadGraph
from scorer.pools import Pool
from scorer.ranking.manifest import Manifest
from scorer.ranking.shard import Criteria, Shards
from scorer.runtimes import open_graph


@dataclass(frozen=True, kw_only=True)
class Work:
    """The description of a ranking for worker processes.

    graph, runtime, precision: how to open the graph, for `workers` threads per process. sha256: of
    its contract. folder: of the manifest and the parts, visible to all workers.
    """

    graph: Path
    runtime: str
    precision: str
    workers: int
    sha256: str
    pool: Pool
    folder: Path
    criteria: Criteria

    @property
    def parts(self) -> int:
        """Number of shards of the pool, and of parts of the ranking."""
        return int(Manifest(self.folder).shards)

    def score(self, numbers: Iterable[int]) -> None:
        """Score shards, by number from 0, into their parts; valid parts are kept."""
        shards = self.open()
        for number in numbers:
            if shards.changed(number) is not None:
                shards.score(number)

    def open(self) -> Shards:
        """Open the shards in this process. Raises BadGraph if the graph has changed."""
        opened = open_graph(
            self.runtime, self.graph, workers=self.workers, precision=self.precision
        )
        if opened.contract.sha256 != self.sha256:
            raise BadGraph(
                f"{self.graph} is another graph than the one that this ranking began with",
                remedy="give the same command again",
            )
        return Shards(opened, self.pool, self.folder, self.criteria)
