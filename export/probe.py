"""Runs an ONNX network in ONNX Runtime and exposes its intermediate tensors."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as F
from onnx import ModelProto, TensorProto, helper

from export import nodes
from export.foreign import Foreign
from export.head import Head
from scorer.errors import CannotGraft, MissingDependency
from scorer.images.preprocessing import LUMA, Preprocessing

Array = npt.NDArray[Any]


class Probe:
    """Runs the unchanged network of `model` on images of size `grid`, one at a time.

    It returns the classifier's inputs, the scores, and the outputs of all nodes behind the
    classifier. Raises CannotGraft where ONNX Runtime cannot run the network.
    """

    def __init__(
        self,
        foreign: Foreign,
        model: ModelProto,
        head: Head,
        preprocessing: Preprocessing,
        grid: tuple[int, int],
    ) -> None:
        self.path, self.kind, self.layout = foreign.path, foreign.kind, foreign.layout
        self.input = foreign.image.name
        self.preprocessing, self.grid = preprocessing, grid
        found = head.classifier
        behind = (node.output[0] for node in head.behind)
        self.names = list(dict.fromkeys([*found.features, found.logits, *behind, head.output]))
        self._model = model
        self._session = self._open(model, self.names)

    def run(self, image: npt.NDArray[np.uint8]) -> dict[str, Array]:
        """The intermediate tensors for an image [H, W, 3], by name."""
        feeds = {self.input: self._prepared(image)}
        try:
            found = self._session.run(self.names, feeds)
        except Exception as error:
            raise self._cannot_run(error) from error
        return dict(zip(self.names, found, strict=True))

    @cached_property
    def seen(self) -> dict[str, Array]:
        """The intermediate tensors for the test image, by name."""
        return self.run(self.image)

    @cached_property
    def image(self) -> npt.NDArray[np.uint8]:
        """The test image [H, W, 3]: smooth random colours with fine noise."""
        rng = np.random.default_rng(0)
        coarse = torch.from_numpy(rng.random((1, 3, 9, 11), np.float32))
        smooth = F.interpolate(coarse, self.grid, mode="bicubic")[0].permute(1, 2, 0).numpy()
        noise = rng.normal(0, 0.1, (*self.grid, 3))
        return (255 * np.clip(smooth + noise, 0, 1)).astype(np.uint8)

    def behind(self, given: str, wanted: str) -> Callable[[Array], Array]:
        """A function from values of the tensor `given` to the tensor `wanted`, computed by the
        nodes between them.
        """
        part = ModelProto()
        part.CopyFrom(self._model)
        own = [node for node in part.graph.node if given not in node.output]
        del part.graph.node[:], part.graph.output[:]
        part.graph.node.extend(own)
        like = self.seen[given]
        kind = helper.np_dtype_to_tensor_dtype(like.dtype)
        part.graph.input.append(helper.make_tensor_value_info(given, kind, like.shape))
        part.graph.output.append(onnx.ValueInfoProto(name=wanted))
        nodes.keep_only(part.graph, [wanted])
        needed = nodes.leaves(part.graph, [wanted])
        kept = [entry for entry in part.graph.input if entry.name in needed]
        del part.graph.input[:]
        part.graph.input.extend(kept)
        session = self._open(part, [wanted])
        image = np.zeros((*self.grid, 3), np.uint8)
        fixed = {self.input: self._prepared(image)} if self.input in needed else {}

        def run(values: Array) -> Array:
            found: Array = session.run([wanted], fixed | {given: values.astype(like.dtype)})[0]
            return found

        return run

    def _prepared(self, image: npt.NDArray[np.uint8]) -> Array:
        """The image as the network's input. It is a second implementation of the preprocessing,
        which the graph is compared with.
        """
        given = self.preprocessing
        pixels: Array = image[..., ::-1] if given.channels == "bgr" else image
        if given.channels == "grey":
            pixels = np.average(image, axis=2, weights=LUMA)[..., None]
        if self.kind == TensorProto.UINT8:
            pixels = np.floor(pixels + 0.5)
        else:
            count = pixels.shape[2]
            mean = np.array(given.mean[:count], np.float32)
            pixels = (pixels.astype(np.float32) - mean) / np.array(given.std[:count], np.float32)
        if self.layout == "nchw":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[None].astype(helper.tensor_dtype_to_np_dtype(self.kind)))

    def _open(self, model: ModelProto, names: list[str]) -> Any:
        try:
            import onnxruntime as ort  # noqa: PLC0415
        except ImportError as error:
            raise MissingDependency(
                "--from runs the network in ONNX Runtime to check what it found",
                remedy="pip install 'balentacq[cpu,export]'",
            ) from error
        watched = ModelProto()
        watched.CopyFrom(model)
        there = {entry.name for entry in model.graph.output}
        watched.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in names if name not in there
        )
        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors are raised, not logged
        try:
            return ort.InferenceSession(
                watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise self._cannot_run(error) from error

    def _cannot_run(self, error: Exception) -> CannotGraft:
        return CannotGraft(
            f"{self.path} does not run at {self.grid[0]}x{self.grid[1]} in ONNX Runtime: "
            f"{str(error).splitlines()[0]}",
            remedy="choose a --size that the network takes: often a multiple of 32",
        )
