"""Where a process that learns on another machine puts its graphs."""

import threading
from collections.abc import Callable
from pathlib import Path

from scorer.errors import BadGraph
from scorer.files import replacing_path
from scorer.labels.store import Store
from scorer.runtimes.base import Runtime
from scorer.service.served import check_classes


class Inbox:
    """The file that is served. open_: opens a graph, or raises BadGraph."""

    def __init__(self, path: Path, open_: Callable[[Path], Runtime]) -> None:
        self.path, self._open, self._one = path, open_, threading.Lock()

    def put(self, content: bytes, store: Store) -> None:
        """A graph in place of the one before, which stays where this one cannot be used. Raises
        BadGraph, CannotWrite.
        """
        if not content:
            raise BadGraph(
                "an empty file is no graph", remedy="send the content of a scorer.onnx as the body"
            )
        with self._one, replacing_path(self.path) as temporary:
            temporary.write_bytes(content)
            check_classes(self._open(temporary).contract, store)
