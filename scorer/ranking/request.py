"""Checks the options of scorer rank, and converts them to a Run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import arrow, labels
from scorer.console import cores
from scorer.contract import Contract
from scorer.errors import BadInput, BadLabels
from scorer.labels import Labels
from scorer.runtimes import choose, open_graph

if TYPE_CHECKING:
    from scorer.pools import Pool
    from scorer.ranking.executors import Divided, Executor
    from scorer.ranking.job import RankOptions, Run
    from scorer.ranking.observer import Observer
    from scorer.ranking.shard import Criteria
    from scorer.ranking.work import Work
    from scorer.runtimes.base import Runtime

_NO_LABELS = Path("none")
_USUAL_LABELS = Path("labels.db")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of scorer rank, by name."""

    where: str
    n: int
    budget: int | None
    min_distance: float | None
    graph: Path
    labels_path: Path | None
    on_conflict: str
    exclude: Path | None
    out: Path
    overlay: Path | None
    images_out: Path | None
    images_by: str
    why: bool
    uncertain: float | None
    against: Path | None
    report: Path | None
    seed: int
    batch: int
    runtime: str
    precision: str
    threads: int | None
    executor: str
    workers: int
    address: str | None
    gpus: float
    shard: int
    task: tuple[int, int] | str | None
    resume: bool
    as_json: bool

    def check(self) -> None:
        """Raise BadInput for options that would have no effect."""
        from scorer.ranking import parts  # noqa: PLC0415  # pyarrow loads slowly

        if parts.is_folder(self.out) and (self.against is not None or self.as_json):
            raise BadInput(
                f"{self.out} is a folder of parts, which --against and --json do not read",
                remedy="give --out a file, such as ranking.parquet",
            )
        of_no_effect = {
            "--budget": self.budget is not None,
            "--images-out": self.images_out is not None,
            "--against": self.against is not None,
            "--report": self.report is not None,
            "--no-resume": not self.resume,
            "--json": self.as_json,
        }
        names = [name for name, is_given in of_no_effect.items() if is_given]
        if self.task is not None and names:
            raise BadInput(
                f"{', '.join(names)}: of no effect with --task",
                remedy="give it to the last command, the one without --task, which writes "
                "the ranking",
            )

        if self.why and self.task is None and self.images_out is None:
            raise BadInput(
                "--why: of no effect without a ranking of whole images",
                remedy="name its file, such as --images-out images.csv",
            )

    @property
    def labels_read(self) -> Path | None:
        """The label file of --labels, or the default label store if it exists."""
        if self.labels_path == _NO_LABELS:
            return None
        return self.labels_path or (_USUAL_LABELS if _USUAL_LABELS.is_file() else None)

    def _labels(self, path: Path, contract: Contract) -> Labels:
        try:
            return labels.read(path, contract.classes, on_conflict=self.on_conflict)
        except BadLabels as error:
            if self.labels_path is not None:
                raise
            raise BadLabels(
                str(error), remedy=f"{error.remedy}; or leave it out with --labels {_NO_LABELS}"
            ) from error

    def opened(self) -> "Runtime":
        """The graph, ready to run. Raises BadGraph, MissingDependency."""
        name = choose(self.runtime, self.precision, self.graph)
        mine = self.threads or cores() if self.executor == "threads" else 1
        return open_graph(name, self.graph, workers=mine, precision=self.precision)

    def run(self, runtime: "Runtime", pool: "Pool", observer: "Observer") -> "Run":
        """The ranking to be done. Raises BadInput, BadLabels."""
        from scorer.ranking.job import Run  # noqa: PLC0415

        if self.executor != "ray":  # Ray converts to pandas
            arrow.lighten()
        options = self._options(runtime.contract)
        return Run(runtime, pool, self.out, options, observer, self._executor())

    def _options(self, contract: Contract) -> "RankOptions":
        from scorer.ranking.job import RankOptions  # noqa: PLC0415

        return RankOptions(
            criteria=self._criteria(contract),
            budget=self.budget,
            images=self.images_out,
            images_by=self.images_by,
            report=self.report,
            shard=self.shard,
            resume=self.resume,
            any_runtime=self.runtime == "auto",
        )

    def _criteria(self, contract: Contract) -> "Criteria":
        from scorer.ranking.shard import Criteria  # noqa: PLC0415

        path = self.labels_read
        return Criteria(
            n=self.n,
            distance=self.min_distance,
            seed=self.seed,
            labels=self._labels(path, contract) if path else None,
            exclude=self.exclude,
            pictures=self.overlay,
            uncertain=self._uncertain(contract),
            why=self.why,
            batch=self.batch,
        )

    def _uncertain(self, contract: Contract) -> float | None:
        """The map value from which a pixel is uncertain; None if it is not needed. Raises
        BadInput.
        """
        by_share = self.images_out is not None and self.images_by == "share"
        if not by_share and not self.why:
            return None
        level = contract.traits.zero_level if self.uncertain is None else self.uncertain
        if level is None and by_share:
            raise BadInput(
                "there is no usual value from which a pixel is uncertain for "
                f"{contract.acquisition}",
                remedy="give a value with --uncertain",
            )
        return level

    def _executor(self) -> "Executor":
        from scorer.ranking.executors.chosen import chosen  # noqa: PLC0415

        name = choose(self.runtime, self.precision, self.graph)
        work: Callable[[Divided], Work] = partial(_work, request=self, runtime=name)
        return chosen(
            self.executor, work, workers=self.workers, address=self.address, gpus=self.gpus
        )


def _work(shards: "Divided", *, request: Request, runtime: str) -> "Work":
    """The work of another process, with absolute paths."""
    from scorer.ranking.shard import Shards  # noqa: PLC0415
    from scorer.ranking.work import Work  # noqa: PLC0415

    assert isinstance(shards, Shards)

    criteria = shards.criteria
    return Work(
        graph=request.graph.absolute(),
        runtime=runtime,
        precision=request.precision,
        workers=request.threads or 1,
        sha256=shards.runtime.contract.sha256,
        pool=shards.pool.absolute(),
        folder=shards.folder.absolute(),
        criteria=replace(
            criteria,
            pictures=criteria.pictures and criteria.pictures.absolute(),
            exclude=criteria.exclude and criteria.exclude.absolute(),
        ),
    )
