"""ONNX Runtime on the CPU with a graph in two halves, which caches the feature maps of the first.

A frozen backbone is most of the computation, and its maps of a photograph do not change with
training (export/halves.py).
"""

import hashlib
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.contract import IMAGE, METADATA_KEY
from scorer.errors import BadGraph
from scorer.runtimes.base import Scores, asked, fed, read_contract
from scorer.runtimes.cpu import open_session

Maps = dict[str, npt.NDArray[np.float32]]


class Features:
    """A cache of feature maps, up to `most_bytes`; thread-safe.

    When full it keeps what it has: photographs are used in turn, so that the least recently used
    one is needed next.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.bytes = most_bytes, 0
        self._lock = threading.Lock()
        self._kept: dict[bytes, Maps] = {}

    def get(self, key: bytes) -> Maps | None:
        """The maps of an image; None if they are not cached."""
        return self._kept.get(key)

    def keep(self, key: bytes, maps: Maps) -> None:
        """Cache the maps of an image, if there is room."""
        size = sum(values.nbytes for values in maps.values())
        with self._lock:
            if key not in self._kept and self.bytes + size <= self.most_bytes:
                self._kept[key] = maps
                self.bytes += size


class KeptFeatures:
    """A scoring graph in two halves, for `workers` threads; gives the scores of the whole graph."""

    name = "cpu float32"

    def __init__(self, graph: Path, features: Features, *, workers: int) -> None:
        front, behind = halves_of(graph)
        self._digest, self._features = hashlib.sha256(front.read_bytes()).digest(), features
        sessions = [(open_session(front), open_session(behind)) for _ in range(workers)]
        metadata = sessions[0][1].get_modelmeta().custom_metadata_map
        self.contract, self.workers = read_contract(metadata.get(METADATA_KEY), behind), workers
        self._free: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        for pair in sessions:
            self._free.put(pair)

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        feeds = fed(self.contract, image, exclude, noise)
        front, behind = self._free.get()
        try:
            alone = []
            for index in range(len(image)):
                one = {name: values[index : index + 1] for name, values in feeds.items()}
                maps = self._seen(front, one.pop(IMAGE))
                alone.append(behind.run(asked(want_map), maps | one))
        finally:
            self._free.put((front, behind))
        return Scores(*(np.concatenate(parts) for parts in zip(*alone, strict=True)))

    def _seen(self, front: Any, image: npt.NDArray[np.uint8]) -> Maps:
        key = hashlib.sha256(self._digest + image.tobytes()).digest()
        found = self._features.get(key)
        if found is None:
            names = [entry.name for entry in front.get_outputs()]
            found = dict(zip(names, front.run(names, {IMAGE: image}), strict=True))
            self._features.keep(key, found)
        return found


def halves_of(graph: Path) -> tuple[Path, Path]:
    """The files of a graph's halves: scorer.onnx → scorer.front.onnx, scorer.behind.onnx."""
    return graph.with_suffix(".front.onnx"), graph.with_suffix(".behind.onnx")


def open_halves(graph: Path, features: Features, *, workers: int) -> KeptFeatures | None:
    """Open the halves beside a graph; None if they are missing or belong to another graph."""
    if not all(path.is_file() for path in halves_of(graph)):
        return None
    try:
        opened = KeptFeatures(graph, features, workers=workers)
    except BadGraph:
        return None
    return opened if opened.contract.to_json().encode() in graph.read_bytes() else None
