"""Sums over classes and over passes, written as matrix products.

ONNX Runtime is several times slower in reducing an axis that is not the last than in multiplying.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def over_classes(values: Float[Tensor, "*B C P"]) -> Float[Tensor, "*B 1 P"]:
    """Sum over the classes."""
    return values.new_ones(1, values.shape[-2]) @ values


def over_other_classes(values: Float[Tensor, "B C P"]) -> Float[Tensor, "B C P"]:
    """For each class the sum of all others: equal to 1 - values where they sum to 1, but accurate.

    float32 resolves a probability of 0.9999 to 6e-8, so that 1 - it would keep three digits.
    """
    classes = values.shape[1]
    return (1 - torch.eye(classes, dtype=values.dtype, device=values.device)) @ values


def over_passes(values: Float[Tensor, "B g C P"], weight: float) -> Float[Tensor, "B C P"]:
    """Sum over the passes, times `weight`."""
    weights = values.new_full((1, values.shape[1]), weight)
    return (weights @ values.flatten(2)).view(values.shape[0], *values.shape[2:])
