"""The runtime ONNX Runtime on the CPU."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.contract import METADATA_KEY, Contract
from scorer.errors import MissingDependency
from scorer.runtimes.base import (
    Feeds,
    Installed,
    Scores,
    asked,
    cannot_open,
    check_file,
    check_tensors,
    fed,
    read_contract,
)

_KERNEL = "_kernel_time"  # the end of the names of the profiler's events that are kernels
_RUN = "model_run"  # the event behind all kernels of a run
_WITH_SUBGRAPH = frozenset({"If", "Loop", "Scan"})


class Sessions:
    """A graph in ONNX Runtime, with one single-threaded session per worker.

    One thread per image, not several for one image, because the tail's operators are small, and
    synchronisation would cost as much as computation. One session per worker, so that its buffers
    stay in its core's cache.
    """

    name = "cpu float32"

    def __init__(self, path: Path, *, workers: int, threads: int = 1) -> None:
        self.workers = workers
        self.first = open_session(path, threads)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for session in (self.first, *(open_session(path, threads) for _ in range(workers - 1))):
            self._free.put(session)

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[npt.NDArray[Any]]:
        images, session = len(next(iter(feeds.values()))), self._free.get()
        try:
            # One image at a time: a convolution rounds differently in a batch, and a ranking must
            # not depend on it. On a CPU batches are not faster.
            alone = [
                session.run(wanted, {name: values[i : i + 1] for name, values in feeds.items()})
                for i in range(images)
            ]
        finally:
            self._free.put(session)
        return [np.concatenate(parts) for parts in zip(*alone, strict=True)]


class OnnxRuntime:
    """A scoring graph in ONNX Runtime; threads: per image. With several an image is scored sooner,
    fewer are per second, and the last digits of scores may differ.
    """

    name = Sessions.name

    def __init__(self, path: Path, *, workers: int, threads: int = 1) -> None:
        check_file(path)
        self._sessions = Sessions(path, workers=workers, threads=threads)
        self.contract, self.workers = contract_in(self._sessions.first, path), workers

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        feeds = fed(self.contract, image, exclude, noise)
        return Scores(*self._sessions.run(feeds, asked(want_map)))


def examine() -> Installed:
    """The installed ONNX Runtime. Raises MissingDependency."""
    return Installed(f"onnxruntime {_package().__version__}", ("float32",))


def contract_in(session: Any, path: Path) -> Contract:
    """The contract of a session's graph. Raises BadGraph if its tensors do not fit."""
    metadata = session.get_modelmeta().custom_metadata_map
    contract = read_contract(metadata.get(METADATA_KEY), path)
    check_tensors(
        contract,
        {entry.name: tuple(entry.shape) for entry in session.get_inputs()},
        {entry.name: tuple(entry.shape) for entry in session.get_outputs()},
        path,
    )
    return contract


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file, by name. Raises BadGraph."""
    found: dict[str, str] = open_session(path).get_modelmeta().custom_metadata_map
    return found


def profile(path: Path, feeds: Iterable[Feeds]) -> Iterator[list[tuple[str, float]]]:
    """Run a graph on one thread; yield for each run the nodes in the order of computation, with the
    seconds of their kernels. Nodes with a subgraph are left out, and the nodes inside are included.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(path, profile=Path(folder) / "profile")
        for inputs in feeds:
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    nodes: list[tuple[str, float]] = []
    for event in events:
        is_kernel = event["name"].endswith(_KERNEL)
        if is_kernel and event["args"]["op_name"] not in _WITH_SUBGRAPH:
            nodes.append((event["name"].removesuffix(_KERNEL), event["dur"] / 1e6))
        elif event["name"] == _RUN:
            yield nodes
            nodes = []


def open_session(path: Path, threads: int = 1, profile: Path | None = None) -> Any:
    """Open a session with this runtime's options; threads: per image; profile: beginning of the
    path of a file for its profiler. Raises BadGraph.
    """
    ort = _package()
    options = ort.SessionOptions()
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised; warnings would disturb the progress bar
    # exp of logits far below the maximum gives denormals, a hundred times slower than zeros.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
        raise cannot_open(path, error) from error


def _package() -> Any:
    try:
        import onnxruntime  # noqa: PLC0415

        # missing in an incomplete removal
        from onnxruntime import InferenceSession  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependency(
            "the runtime cpu needs ONNX Runtime", remedy="pip install 'balentacq[cpu]' (or [gpu])"
        ) from error
    return onnxruntime
