"""Reads Slice and Gather nodes that keep some places of one axis, such as some of the classes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from export.constants import Constants, attribute


class Choice(NamedTuple):
    """The places that a node keeps along an axis of its input; a negative axis counts from the
    last.
    """

    axis: int
    places: slice | npt.NDArray[np.int64]

    def of(self, count: int) -> npt.NDArray[np.int64]:
        """The kept indices of `count` places, in the order of the output."""
        return np.atleast_1d(np.arange(count)[self.places])


def read(node: NodeProto, constants: Constants) -> Choice | None:
    """The choice of a node; None for other nodes, several axes, or places that are not constant."""
    if node.op_type == "Gather":
        places = constants.value(node.input[1])
        if places is None or places.ndim > 1:
            return None
        return Choice(attribute(node, "axis", 0), places.astype(np.int64))
    if node.op_type != "Slice":
        return None
    given = [constants.value(name) if name else None for name in node.input[1:]]
    given += [None] * (4 - len(given))
    starts, ends, axes, steps = given
    if starts is None or ends is None or starts.size != 1:
        return None
    axis = 0 if axes is None else int(axes.item())
    step = 1 if steps is None else int(steps.item())
    # A backward slice ends at the smallest integer, which Python writes as None.
    end = int(ends.item())
    return Choice(axis, slice(int(starts.item()), None if end < -(2**31) else end, step))
