"""Applies the widened classifier to a few feature rows at a time, and scans over the rows."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan_op

from trainer.graph.moments import lowered

# Elements of a map of all classes per strip and per block, and of the largest tensor: large enough
# that a runtime's overhead per operator does not matter, small enough for a core's cache.
STRIP = 20_000
BLOCK = 60_000
LARGEST = 160_000


class RowClassifier(nn.Module):
    """The classifier of all passes as one matrix, for a few rows at a time."""

    def __init__(self, classifier: nn.Conv2d, passes: int) -> None:
        super().__init__()
        self.passes = passes
        self.kernel, self.dilation = classifier.kernel_size, classifier.dilation
        # A matrix from the start, because the scan takes initializers unchanged. Its columns are
        # ordered as `_shifted` stacks: rows first, then columns.
        self.weight = nn.Parameter(classifier.weight.detach().permute(0, 3, 2, 1).flatten(1))
        bias = classifier.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach()[:, None])

    @property
    def classes(self) -> int:
        return self.weight.shape[0] // self.passes

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The tensors that a scan must receive as constants."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)

    @property
    def wide(self) -> bool:
        """Whether the kernel covers more than one column."""
        return self.kernel[1] > 1

    def rows(self, features: Float[Tensor, "B K h w"]) -> Float[Tensor, "B _ h w"]:
        """Stack each row with the rows above and below that the kernel covers, as channels."""
        return _shifted(features, 2, self.kernel[0], self.dilation[0])

    def logits(
        self,
        rows: Float[Tensor, "B _ R w"],
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        around: int = 0,
    ) -> Float[Tensor, "B m C R _"]:
        """The logits of the output of `rows`; around: number of times that outermost columns are
        repeated.
        """
        patches = _shifted(rows, 3, self.kernel[1], self.dilation[1])
        if around:
            patches = F.pad(patches, (around, around, 0, 0), mode="replicate")
        logits = weight @ patches.flatten(2)
        logits = logits if bias is None else logits + bias
        return lowered(logits.unflatten(2, patches.shape[2:]).unflatten(1, (self.passes, -1)))


def keeps_size(classifier: nn.Conv2d) -> bool:
    """Whether a convolution with zero padding has as many outputs as inputs."""
    padding = padding_of(classifier)
    if not all(side % 2 for side in classifier.kernel_size):
        return False
    reach = [d * (k - 1) for d, k in zip(classifier.dilation, classifier.kernel_size, strict=True)]
    return tuple(classifier.stride) == (1, 1) and [2 * side for side in padding] == reach


def padding_of(classifier: nn.Conv2d) -> list[int]:
    """Zeros above and left of the image, as numbers also for "valid" and "same"."""
    if isinstance(classifier.padding, str):
        around = classifier._reversed_padding_repeated_twice
        return [around[2], around[0]]
    return list(classifier.padding)


def scan(
    body: Callable[..., tuple[Tensor, ...]],
    state: Tensor,
    inputs: tuple[Float[Tensor, "n ..."], ...],
    constants: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Run body(state, *inputs, *constants) → (next state, *outputs) over the first axis of the
    inputs; returns the stacked outputs.

    A Scan operator in a graph and a loop in PyTorch, with the same body. A Scan sees only its
    arguments, and OpenVINO takes nothing but initializers as `constants`.
    """
    if torch.compiler.is_exporting():
        return tuple(scan_op(body, [state], list(inputs), constants)[1:])
    collected = []
    for items in zip(*inputs, strict=True):
        state, *outputs = body(state, *items, *constants)
        collected.append(outputs)
    return tuple(torch.stack(values) for values in zip(*collected, strict=True))


def _shifted(
    values: Float[Tensor, "B K h w"], axis: int, kernel: int, dilation: int
) -> Float[Tensor, "B _ h w"]:
    """Stack each position with its `kernel` neighbours along an axis, as channels; zeros
    outside.
    """
    if kernel == 1:
        return values
    reach = (kernel - 1) // 2 * dilation
    around = F.pad(values, (0, 0, reach, reach) if axis == 2 else (reach, reach))
    length = values.shape[axis]
    parts = [around.narrow(axis, index * dilation, length) for index in range(kernel)]
    return torch.cat(parts, dim=1)
