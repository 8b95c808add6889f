"""Lets a plain graph take images of any size, and checks it at sizes other than that of the trace.

Where both sides are multiples of the largest stride, every feature map is enlarged by a whole
factor, which the graph stores as a factor and not as a size; no other node depends on the size.
"""

from typing import Any

import numpy as np
import torch
from onnx import ModelProto

from export.plain_tail import PlainTail
from scorer.contract import IMAGE
from scorer.errors import BadInput, MissingDependency
from scorer.plain import PROBABILITIES, PlainContract
from trainer.graph.scorable import Scorable

_SIDES = ("height", "width")
_DIFFERENCE = 1e-3  # largest difference of a probability, in float32
_AGREEMENT = 0.99  # least share of equal classes, in lower precisions and for class maps


def free(model: ModelProto, contract: PlainContract) -> None:
    """Make height and width of the graph's input and output dynamic, in place."""
    at = {IMAGE: 1 if contract.layout == "nhwc" else 2}
    for entry in (*model.graph.input, *model.graph.output):
        dims = entry.type.tensor_type.shape.dim
        first = at.get(entry.name, len(dims) - 2)
        for dim, name in zip(dims[first : first + 2], _SIDES, strict=True):
            dim.dim_param = name
    del model.graph.value_info[:]  # they have the shapes of the traced size


@torch.inference_mode()
def check(model: ModelProto, network: Scorable, contract: PlainContract) -> None:
    """Raise BadInput unless the graph gives the results of `network` at other sizes, too."""
    multiple = contract.multiple or 1
    session = _session(model)
    for height, width in ((2, 3), (5, 4)):
        size = (height * multiple, width * multiple)
        image = np.random.default_rng(height).integers(0, 256, (1, *size, 3), np.uint8)
        tail = PlainTail(network, size, PROBABILITIES)
        expected = tail(network.features(torch.from_numpy(image)))[0].numpy()
        fed = image if contract.layout == "nhwc" else image.transpose(0, 3, 1, 2)
        try:
            found = session.run(None, {IMAGE: fed})[0][0]
        except Exception as error:  # ONNX Runtime's exceptions share no base class but Exception
            raise _depends(contract) from error
        if not _alike(found, expected, contract):
            raise _depends(contract)


def _alike(found: np.ndarray, expected: np.ndarray, contract: PlainContract) -> bool:
    if found.shape[-2:] != expected.shape[-2:]:
        return False
    exact = contract.output == PROBABILITIES and contract.precision == "float32"
    if exact:
        return bool(np.abs(found - expected).max() < _DIFFERENCE)
    label = found.argmax(0) if found.ndim == 3 else found
    return bool((label == expected.argmax(0)).mean() >= _AGREEMENT)


def _depends(contract: PlainContract) -> BadInput:
    return BadInput(
        f"--any-size: the graph of {contract.network} depends on the size of its input",
        remedy="leave --any-size away, and give the size that you need with --size",
    )


def _session(model: ModelProto) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "--any-size is proved in ONNX Runtime", remedy="pip install 'balentacq[cpu,export]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
