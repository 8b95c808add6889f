"""A Slice or Gather that keeps some places along one axis, such as some of the classes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from export.constants import Constants, attribute


class Choice(NamedTuple):
    """axis: of the tensor that is read, from its end where it is below 0. places: along it."""

    axis: int
    places: slice | npt.NDArray[np.int64]

    def of(self, count: int) -> npt.NDArray[np.int64]:
        """Which of so many places are kept, in their order."""
        return np.atleast_1d(np.arange(count)[self.places])


def read(node: NodeProto, constants: Constants) -> Choice | None:
    """What a node keeps; None where it is no such node, or of several axes, or not constant."""
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
    # Below everything, which a step backwards ends at, is nothing to Python.
    end = int(ends.item())
    return Choice(axis, slice(int(starts.item()), None if end < -(2**31) else end, step))
