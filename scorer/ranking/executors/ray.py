"""The executor of a Ray cluster, or of Ray on this machine: actors score shards through Ray
Data.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scorer.errors import BadInput, Failure, MissingDependency
from scorer.ranking.executors import Divided, Portable, threads

_BLOCKS = 4096  # Ray plans all of them at the start


@dataclass(frozen=True)
class Cluster:
    """The executor: `actors` with `gpus` GPUs each (a fraction: shared) and one core per thread.

    Ray Data restarts actors that die and reassigns their shards; shards are handed out only as
    actors request them.
    """

    work: Callable[[Divided], Portable]
    address: str | None = None
    actors: int = 2
    gpus: float = 0

    def __call__(
        self, shards: Divided, missing: Sequence[int], on_images: Callable[[int], None]
    ) -> None:
        if not missing:
            return
        ray = _ray()
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        with self._joined(ray):
            work = self.work(shards)
            self._check_room(ray.nodes(), work.workers)
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            context.execution_options.preserve_order = False
            try:
                for batch in self._scored(ray, work, missing):
                    _check(batch)
                    on_images(int(batch["images"].sum()))
            except ray.exceptions.RayError as error:
                raise Failure(
                    f"the cluster gave up: {error}",
                    remedy="give the same command again: it continues with what is missing",
                ) from error

    def _joined(self, ray: Any) -> Any:
        try:
            return ray.init(
                address=self.address, include_dashboard=False, log_to_driver=False,
                configure_logging=False, ignore_reinit_error=True,
            )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadInput(
                f"there is no Ray cluster at {self.address or 'this machine'}: {error}",
                remedy="ray start --head begins one; without --address this machine alone is one",
            ) from error

    def _check_room(self, nodes: list[dict[str, Any]], workers: int) -> None:
        """Raise BadInput if no machine has room for an actor: Ray would wait silently."""
        there = [node["Resources"] for node in nodes if node["Alive"]]
        if not any(
            one.get("CPU", 0) >= workers and one.get("GPU", 0) >= self.gpus for one in there
        ):
            most = [max((one.get(kind, 0) for one in there), default=0) for kind in ("CPU", "GPU")]
            raise BadInput(
                f"an actor needs {workers} cores and {self.gpus:g} GPUs, and no machine of the "
                f"cluster has both: the largest have {most[0]:g} cores and {most[1]:g} GPUs",
                remedy="give it fewer --threads or --gpus",
            )

    def _scored(self, ray: Any, work: Portable, missing: Sequence[int]) -> Any:
        numbers = ray.data.from_items(
            [{"shard": shard} for shard in missing], override_num_blocks=min(len(missing), _BLOCKS)
        )
        scored = numbers.map_batches(
            Actor,
            fn_constructor_args=(work,),
            batch_size=work.workers,
            compute=ray.data.ActorPoolStrategy(size=self.actors),
            num_cpus=work.workers,
            num_gpus=self.gpus,
        )
        return scored.iter_batches(batch_size=1, prefetch_batches=0)


class Actor:
    """Holds a graph, and scores the shards that Ray assigns to it, each in a thread."""

    def __init__(self, work: Portable) -> None:
        self._shards = work.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        counts: list[int] = []
        failed = {"exit_code": [0], "message": [""], "remedy": [""]}
        try:
            threads.run(self._shards, batch["shard"].tolist(), counts.append)
        # returned as values, because Ray keeps only the text of an exception
        except Failure as error:
            failed = {
                "exit_code": [error.exit_code], "message": [str(error)], "remedy": [error.remedy]
            }  # fmt: skip
        return {"images": [sum(counts)]} | failed


def _check(batch: dict[str, Any]) -> None:
    """Raise the failure of an actor."""
    values = (batch["exit_code"], batch["message"], batch["remedy"])
    for code, message, remedy in zip(*values, strict=True):
        if code:
            failure = Failure(message, remedy=remedy)
            failure.exit_code = int(code)
            raise failure


def _ray() -> Any:
    try:
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "--executor ray needs Ray Data", remedy="pip install 'balentacq[cluster]'"
        ) from error
    return ray
