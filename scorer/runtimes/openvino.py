"""The runtime OpenVINO on the CPU, in float32, or with the network in bfloat16."""

from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer import plain
from scorer.contract import FEATURES, IMAGE, METADATA_KEY
from scorer.errors import BadInput, MissingDependency
from scorer.runtimes.base import (
    Installed,
    Scores,
    asked,
    cannot_open,
    check_file,
    check_tensors,
    fed,
    read_contract,
)

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """A scoring graph in OpenVINO, with one stream per worker.

    It is split at the features. The network before them may run in bfloat16; the moments always run
    in float32, because bfloat16 has too few bits for a variance over the passes.
    """

    def __init__(self, path: Path, *, workers: int, precision: str = "float32") -> None:
        check_file(path)
        device = core()
        if precision == "bfloat16" and "BF16" not in _capabilities(device):
            raise BadInput("this processor has no bfloat16", remedy="choose --precision float32")
        try:
            model = device.read_model(path)
        except Exception as error:  # OpenVINO raises RuntimeError and exceptions of its own
            raise cannot_open(path, error) from error
        self.contract = read_contract(metadata(model, METADATA_KEY), path)
        check_tensors(self.contract, _shapes(model.inputs), _shapes(model.outputs), path)
        model.reshape({entry: [1, *entry.get_partial_shape()[1:]] for entry in model.inputs})
        threads = {"NUM_STREAMS": workers, "INFERENCE_NUM_THREADS": workers}
        hint = {"INFERENCE_PRECISION_HINT": _HINTS[precision]}
        trunk, tail = _halves(model)
        try:
            self._trunk = device.compile_model(trunk, "CPU", threads | hint)
            self._tail = device.compile_model(
                tail, "CPU", threads | {"INFERENCE_PRECISION_HINT": "f32"}
            )
        except Exception as error:
            raise cannot_open(path, error) from error
        own = self.contract.precision
        self.name = f"openvino {precision if own == 'float32' else own}"
        self.workers = workers
        self._free: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        for _ in range(workers):
            self._free.put((self._trunk.create_infer_request(), self._tail.create_infer_request()))
        self._warm_up()

    def _warm_up(self) -> None:
        """Run once in this thread: if two threads are the first to infer, OpenVINO's binding and
        Python may deadlock (seen with 2026.4.1).
        """
        image, blank = np.zeros((1, *self.contract.grid, 3), np.uint8), (1, *self.contract.map)
        self.run(image, np.zeros(blank, np.uint8), np.full(blank, 0.5, np.float32))

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        feeds = fed(self.contract, image, exclude, noise)
        images = feeds.pop(IMAGE)
        trunk, tail = self._free.get()
        try:
            alone = []
            for i in range(len(images)):
                features = trunk.infer([images[i : i + 1]])[0]
                one = {name: values[i : i + 1] for name, values in feeds.items()}
                found = tail.infer({FEATURES: features} | one)
                alone.append([found[name].copy() for name in asked(want_map)])
        finally:
            self._free.put((trunk, tail))
        return Scores(*(np.concatenate(parts) for parts in zip(*alone, strict=True)))


def examine() -> Installed:
    """The installed OpenVINO, with bfloat16 if the processor supports it. Raises
    MissingDependency.
    """
    version = _package().__version__.partition("-")[0]
    halved = "BF16" in _capabilities(core())
    return Installed(f"openvino {version}", ("float32", "bfloat16") if halved else ("float32",))


def _package() -> Any:
    try:
        import openvino  # noqa: PLC0415
        from openvino import Core  # noqa: F401, PLC0415  # missing in an incomplete removal
    except ImportError as error:
        raise MissingDependency(
            "the runtime openvino needs OpenVINO", remedy="pip install 'balentacq[openvino]'"
        ) from error
    return openvino


def core() -> Any:
    """OpenVINO's Core, which reads and compiles models. Raises MissingDependency."""
    return _package().Core()


def _capabilities(device: Any) -> list[str]:
    return list(device.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def metadata_of(path: Path) -> dict[str, str]:
    """The contracts in an ONNX file's metadata, by key. Raises BadGraph."""
    try:
        model = core().read_model(path)
    except Exception as error:  # OpenVINO raises RuntimeError and exceptions of its own
        raise cannot_open(path, error) from error
    found = {name: metadata(model, name) for name in (METADATA_KEY, plain.METADATA_KEY)}
    return {name: text for name, text in found.items() if text is not None}


def metadata(model: Any, name: str) -> str | None:
    """An entry of an ONNX file's metadata, which OpenVINO stores under "framework"; None without
    it.
    """
    key = ["framework", name]
    return str(model.get_rt_info(key).value) if model.has_rt_info(key) else None


def _shapes(entries: Any) -> dict[str, tuple[object, ...]]:
    """Shapes by tensor name, with None for dynamic dimensions."""
    return {
        entry.get_any_name(): tuple(
            side.get_length() if side.is_static else None for side in entry.get_partial_shape()
        )
        for entry in entries
    }


def _halves(model: Any) -> tuple[Any, Any]:
    """Split a model at the features: from the image to the features, and from them to the
    scores.
    """
    import openvino as ov  # noqa: PLC0415

    outputs = (output for node in model.get_ops() for output in node.outputs())
    seam = next((output for output in outputs if FEATURES in output.get_names()), None)
    if seam is None:
        raise BadInput("the graph does not name its features", remedy="export it again")
    features = ov.opset13.parameter(seam.get_shape(), np.float32, name=FEATURES)
    features.output(0).set_names({FEATURES})
    by_name = {node.get_friendly_name(): node for node in model.get_parameters()}
    others = [node for name, node in by_name.items() if name != IMAGE]
    for target in seam.get_target_inputs():
        target.replace_source_output(features.output(0))
    tail = ov.Model(model.get_results(), [features, *others], "tail")
    return ov.Model([seam], [by_name[IMAGE]], "trunk"), tail
