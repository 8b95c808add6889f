"""Reads the classifier weights of every dropout pass from a scoring graph."""

import math

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, numpy_helper

from export.join import PREFIX
from scorer.contract import Contract
from scorer.errors import BadGraph

_DIVIDED = tuple(f"{PREFIX}raster.classifier.{part}" for part in ("shared", "own", "index"))
_LARGEST_SIDE = 32  # of the pixels scored behind a feature position

Array = npt.NDArray[np.float32]


def pass_weights(model: ModelProto, contract: Contract) -> Array:
    """The weights [m, C, K] of all passes behind the features; C·r² in place of C where r x r
    pixels are scored behind a feature position. Raises BadGraph.
    """
    behind = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.startswith(PREFIX)
    }
    if behind.keys() >= set(_DIVIDED):
        return _joined(*(behind[name] for name in _DIVIDED))
    return _wide(list(behind.values()), contract)


def _joined(shared: Array, own: Array, index: npt.NDArray[np.int64]) -> Array:
    """The inverse of trainer.graph.rows.divided."""
    passes = np.repeat(shared[None], len(own), axis=0)
    for weights, few, columns in zip(passes, own, index.reshape(len(own), -1), strict=True):
        weights[:, columns] += few
    return passes


def _wide(behind: list[Array], contract: Contract) -> Array:
    """The weights of one widened convolution, in one tensor or a few."""
    classes = len(contract.classes)
    alike: dict[tuple[int, ...], list[Array]] = {}
    for tensor in behind:
        filters = tensor.shape[1:]
        if tensor.ndim > 1 and tensor.shape[0] % classes == 0 and math.prod(filters) > 1:
            alike.setdefault(filters, []).append(tensor)
    wide = contract.passes * classes
    of_pixels = (
        [parts for parts in alike.values() if sum(map(len, parts)) == wide * side**2]
        for side in range(1, _LARGEST_SIDE + 1)
    )
    found = next((parts for parts in of_pixels if parts), [])
    if len(found) != 1:
        raise BadGraph(
            f"the graph has {len(found)} classifiers of {wide} outputs, expected one",
            remedy="it was edited: export it again",
        )
    weights = np.concatenate(found[0])
    return weights.reshape(contract.passes, len(weights) // contract.passes, -1)
