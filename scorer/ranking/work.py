"""What another process needs to score shards of a pool; small, and the same for all of them."""

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
    """graph, runtime, precision: how the graph is opened, for so many `workers`, threads of the
    process. sha256: of its contract.

    folder: of the manifest and the parts, where every worker sees it.
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
        """How many shards the pool has, and parts the ranking will have."""
        return int(Manifest(self.folder).shards)

    def score(self, numbers: Iterable[int]) -> None:
        """Score some shards, by number from 0, into their parts; one that still holds is kept."""
        shards = self.open()
        for number in numbers:
            if shards.changed(number) is not None:
                shards.score(number)

    def open(self) -> Shards:
        """The shards, ready to be scored in this process."""
        opened = open_graph(
            self.runtime, self.graph, workers=self.workers, precision=self.precision
        )
        if opened.contract.sha256 != self.sha256:
            raise BadGraph(
                f"{self.graph} is another graph than the one that this ranking began with",
                remedy="give the same command again",
            )
        return Shards(opened, self.pool, self.folder, self.criteria)
