"""The served graph, which can be replaced while requests are processed."""

from collections.abc import Callable

import numpy as np

from scorer.console import say
from scorer.contract import Contract
from scorer.errors import BadGraph
from scorer.labels.store import Store
from scorer.runtimes.base import Runtime
from scorer.runtimes.blank import is_blank


class Served:
    """A runtime that can be reopened; ready: whether it has run once."""

    def __init__(self, reopen: Callable[[], Runtime]) -> None:
        self._reopen = reopen
        self.runtime = reopen()
        self.ready = False

    def warm_up(self) -> None:
        """Score a blank image, which does the work of a first run. Failures are reported, not
        raised.
        """
        try:
            _warm_up(self.runtime)
        except Exception as error:  # of a runtime; these have no common base class
            say(f"the graph cannot be computed, and the service is not ready: {error}", style="red")
        else:
            self.ready = True

    def reload(self, store: Store) -> bool:
        """Reopen the graph's file, and use it if it is a new one; on failure the old one stays.

        One call at a time. Raises BadGraph, also for other classes.
        """
        opened = self._reopen()
        if not is_blank(opened.contract):
            check_classes(opened.contract, store)
        if opened.contract.sha256 == self.runtime.contract.sha256:
            return False
        _warm_up(opened)
        self.runtime, self.ready = opened, True
        return True


def check_classes(contract: Contract, store: Store) -> None:
    """Raise BadGraph for a graph with other classes than the store. If classes can be added, the
    graph may lack the last ones.
    """
    names = contract.classes
    if store.classes[: len(names) if store.grows else None] != names:
        raise BadGraph(
            "the new graph has other classes than the one that is served",
            remedy="start another service for it, with a label store of its own",
        )


def _warm_up(runtime: Runtime) -> None:
    contract = runtime.contract
    exclude = np.zeros((1, *contract.map), np.uint8)
    noise = np.zeros((1, *contract.map), np.float32) if contract.stochastic else None
    runtime.run(np.zeros((1, *contract.grid, 3), np.uint8), exclude, noise)
