"""Converts the options of scorer segment to a Job."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.console import cores
from scorer.runtimes import choose

if TYPE_CHECKING:
    from scorer.pools import Pool
    from scorer.ranking.executors import Divided, Executor
    from scorer.ranking.observer import Observer
    from scorer.segmentation.job import Job
    from scorer.segmentation.network import PlainNetwork
    from scorer.segmentation.shards import Segmenting


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of scorer segment, by name."""

    where: str
    graph: Path
    out: Path
    least: float
    confidence: Path | None
    uncertainty: Path | None
    soft: Path | None
    overlay: Path | None
    tiled: bool
    max_megapixels: int
    runtime: str
    threads: int | None
    executor: str
    workers: int
    address: str | None
    gpus: float
    shard: int
    task: tuple[int, int] | str | None
    resume: bool

    def opened(self) -> "PlainNetwork":
        """The network, ready to run. Raises BadGraph, MissingDependency."""
        from scorer.segmentation.network import open_segmenter  # noqa: PLC0415

        mine = self.threads or cores() if self.executor == "threads" else 1
        return open_segmenter(self.runtime, self.graph, workers=mine)

    def job(self, network: "PlainNetwork", pool: "Pool", observer: "Observer") -> "Job":
        """The segmentation to be done. Raises BadInput."""
        from scorer.segmentation.job import Job  # noqa: PLC0415
        from scorer.segmentation.pictures import Folders  # noqa: PLC0415
        from scorer.segmentation.segmenter import Manner  # noqa: PLC0415
        from scorer.segmentation.shards import Wanted  # noqa: PLC0415

        manner = Manner(
            least=self.least,
            confidence=self.confidence is not None,
            uncertainty=self.uncertainty is not None,
            soft=self.soft is not None,
            tiled=self.tiled,
            max_pixels=self.max_megapixels * 1_000_000,
        )
        folders = Folders(self.out, self.confidence, self.uncertainty, self.soft, self.overlay)
        return Job(
            network, pool, Wanted(folders, manner), self.shard, self.resume, observer,
            self._executor(),
        )  # fmt: skip

    def _executor(self) -> "Executor":
        from scorer.ranking.executors.chosen import chosen  # noqa: PLC0415

        work = partial(_work, request=self, runtime=choose(self.runtime, graph=self.graph))
        return chosen(
            self.executor, work, workers=self.workers, address=self.address, gpus=self.gpus
        )


def _work(segments: "Divided", *, request: Request, runtime: str) -> "Segmenting":
    """The work of another process, with absolute paths."""
    from scorer.segmentation.shards import Segmenting, Segments  # noqa: PLC0415

    assert isinstance(segments, Segments)
    return Segmenting(
        graph=request.graph.absolute(),
        runtime=runtime,
        workers=request.threads or 1,
        sha256=segments.network.contract.sha256,
        pool=segments.pool.absolute(),
        folder=segments.folder.absolute(),
        wanted=segments.wanted.absolute(),
    )
