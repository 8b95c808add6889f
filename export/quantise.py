"""Quantises a plain network to int8: static quantisation of ONNX Runtime, calibrated on
photographs.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from export.join import PREFIX
from scorer.contract import IMAGE
from scorer.errors import BadImage, BadInput, BadPool, MissingDependency
from scorer.images.photograph import load
from scorer.plain import INT8, METADATA_KEY, PlainContract
from scorer.pools import Entry, Pool

# Quantised operators; sums, upsampling and softmax stay in float32.
MOST = 100  # images
_OPERATORS = ["Conv", "MatMul", "Gemm"]


def quantised(
    model: ModelProto,
    contract: PlainContract,
    pool: Pool,
    images: int = MOST,
    on_image: Callable[[int], None] = lambda _: None,
) -> ModelProto:
    """Quantise the backbone of a plain network to 8-bit weights and activations.

    contract: of the network. The ranges of the activations are calibrated on the first `images`
    images of the pool. Raises BadPool where none of them can be read, BadInput where no node can be
    quantised.
    """
    quantization = _package()
    with tempfile.TemporaryDirectory() as place:
        whole, ready, small = (Path(place) / f"{name}.onnx" for name in ("whole", "ready", "small"))
        whole.write_bytes(model.SerializeToString())
        quantization.shape_inference.quant_pre_process(whole, ready, skip_symbolic_shape=True)
        with redirect_stdout(io.StringIO()):  # it prints a line per image
            quantization.quantize_static(
                ready,
                small,
                _reader(quantization, pool, contract, images, on_image),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=_OPERATORS,
                nodes_to_exclude=_behind(onnx.load(ready)),
                calibrate_method=quantization.CalibrationMethod.Percentile,
                per_channel=True,
                weight_type=quantization.QuantType.QInt8,
                activation_type=quantization.QuantType.QUInt8,
                # applies to all methods: calibrate on so many images at a time
                extra_options={"CalibStridedMinMax": 1},
            )
        made = onnx.load(small)
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise BadInput(
            "nothing in front of the classifier can be computed in 8 bits",
            remedy="choose --precision fp16",
        )
    del made.metadata_props[:]
    digest = hashlib.sha256(made.SerializeToString(deterministic=True)).hexdigest()
    described = replace(contract, precision=INT8, quantised_sha256=digest)
    onnx.helper.set_model_props(made, {METADATA_KEY: described.to_json()})
    onnx.checker.check_model(made)
    return made


def _behind(model: ModelProto) -> list[str]:
    """Names of the nodes that stay in float32: the head, which works on standardised features. Its
    rounding errors cost most accuracy, and it is cheap to compute.
    """
    found = [node for node in model.graph.node if node.op_type in _OPERATORS]
    in_backbone = {node.name for node in found if any("backbone" in name for name in node.input)}
    if in_backbone:
        return [node.name for node in found if node.name not in in_backbone]
    # a network of an ONNX file
    return [node.name for node in found if node.name.startswith(PREFIX)]


def _reader(
    quantization: Any,
    pool: Pool,
    contract: PlainContract,
    images: int,
    on_image: Callable[[int], None],
) -> Any:
    """A calibration reader of the pool's readable images. Raises BadPool if there are none."""
    readable = [entry for entry in islice(pool.entries(), images) if _is_readable(pool, entry)]
    if not readable:
        raise BadPool(f"no image of {pool.where} can be read", remedy="choose another --calibrate")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Yields images of the range that is set; statistics of one image take some hundred
        megabytes.
        """

        def __init__(self) -> None:
            self.waiting = iter(readable)

        def __len__(self) -> int:
            return len(readable)

        def set_range(self, start_index: int, end_index: int) -> None:
            self.waiting = iter(readable[start_index:end_index])
            on_image(start_index)

        def get_next(self) -> dict[str, Any] | None:
            entry = next(self.waiting, None)
            return None if entry is None else {IMAGE: _laid_out(pool, entry, contract)}

    return Reader()


def _is_readable(pool: Pool, entry: Entry) -> bool:
    try:
        load(pool.read(entry), (1, 1))
    except BadImage:
        return False
    return True


def _laid_out(pool: Pool, entry: Entry, contract: PlainContract) -> np.ndarray:
    pixels = load(pool.read(entry), contract.grid).pixels[None]
    return pixels if contract.layout == "nhwc" else pixels.transpose(0, 3, 1, 2)


def _package() -> Any:
    try:
        import onnxruntime.quantization  # noqa: PLC0415
        import onnxruntime.quantization.shape_inference  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(
            "int8 needs ONNX Runtime", remedy="pip install 'balentacq[cpu,export]'"
        ) from error
    return onnxruntime.quantization
