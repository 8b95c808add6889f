"""Receives graphs of a training process on another machine."""

import threading
from collections.abc import Callable
from pathlib import Path

from scorer.errors import BadGraph
from scorer.files import replacing_path
from scorer.labels.store import Store
from scorer.runtimes.base import Runtime
from scorer.service.served import check_classes


class Inbox:
    """The file of the served graph. open_: opens a graph, or raises BadGraph."""

    def __init__(self, path: Path, open_: Callable[[Path], Runtime]) -> None:
        self.path, self._open, self._one = path, open_, threading.Lock()

    def put(self, content: bytes, store: Store) -> None:
        """Replace the graph, or keep the previous one if the new one is unusable.

        Raises BadGraph, CannotWrite.
        """
        if not content:
            raise BadGraph(
                "an empty file is no graph", remedy="send the content of a scorer.onnx as the body"
            )
        with self._one, replacing_path(self.path) as temporary:
            temporary.write_bytes(content)
            check_classes(self._open(temporary).contract, store)
