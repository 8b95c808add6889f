"""Selects the executor that the command line names."""

from collections.abc import Callable

from scorer.ranking.executors import Divided, Executor, Portable, threads


def chosen(
    name: str,
    work: Callable[[Divided], Portable],
    *,
    workers: int,
    address: str | None,
    gpus: float,
) -> Executor:
    """The executor `name`: "threads", "processes" or "ray".

    work: makes what another process needs; address, gpus: for Ray.
    """
    if name == "processes":
        from scorer.ranking.executors.processes import Processes  # noqa: PLC0415

        return Processes(workers, work)
    if name == "ray":
        from scorer.ranking.executors.ray import Cluster  # noqa: PLC0415

        return Cluster(work, address=address, actors=workers, gpus=gpus)
    return threads.run
