"""Interprets an array as score maps, whatever the order of its axes."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from export.probe import Array


def of_scores(
    values: Array, classes: int, sides: tuple[int, int]
) -> Iterator[Float[Tensor, "C H W"]]:
    """Yield every interpretation of `values` as scores [C, H, W] of `classes` classes.

    sides: (height, width) of the features; for flattened pixels H and W are a whole multiple of
    them.
    """
    found = torch.from_numpy(values.astype(np.float32)).squeeze()
    if classes == 1:
        found = found[None]
    if found.ndim == 3:
        for axis in range(3):
            if found.shape[axis] == classes:
                scores = found.movedim(axis, 0)
                yield scores
                if axis:  # old exporters write width before height
                    yield scores.transpose(1, 2)
    elif found.ndim == 2:
        for axis in (0, 1):
            if found.shape[axis] == classes:
                yield from _tokens(found.movedim(axis, 0), sides)
    elif found.ndim == 1 and found.numel() % classes == 0:
        yield from _tokens(found.unflatten(0, (classes, -1)), sides)


def _tokens(rows: Float[Tensor, "C N"], sides: tuple[int, int]) -> Iterator[Float[Tensor, "C H W"]]:
    factor = math.isqrt(rows.shape[1] // math.prod(sides))
    if factor and factor**2 * math.prod(sides) == rows.shape[1]:
        yield rows.unflatten(1, (factor * sides[0], factor * sides[1]))
