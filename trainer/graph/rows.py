"""Applies the widened classifier to a few feature rows at a time, and scans over the rows."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan_op

from trainer.graph.moments import lowered

# Elements of a map of all classes per strip and per block, and of the largest tensor: large enough
# that a runtime's overhead per operator does not matter, small enough for a core's cache.
STRIP = 20_000
BLOCK = 60_000
LARGEST = 250_000


class RowClassifier(nn.Module):
    """The classifier of all passes, for a few rows at a time.

    Passes share most of their logits: a pass has those of all channels, less those of the channels
    that it drops (`divided`).
    """

    index: Tensor

    def __init__(self, classifier: nn.Conv2d, passes: int) -> None:
        super().__init__()
        self.passes = passes
        self.kernel, self.dilation = classifier.kernel_size, classifier.dilation
        # Matrices from the start, because the scan takes initializers unchanged. Their columns are
        # ordered as `_shifted` stacks: rows first, then columns.
        wide = classifier.weight.detach().permute(0, 3, 2, 1).flatten(1)
        shared, own, index = divided(wide.unflatten(0, (passes, -1)))
        self.shared, self.own = nn.Parameter(shared), nn.Parameter(own)
        self.register_buffer("index", index.flatten())
        bias = wide.new_zeros(len(wide)) if classifier.bias is None else classifier.bias.detach()
        of_passes = bias.view(passes, -1, 1)
        is_shared = bool((of_passes == of_passes[:1]).all())
        self.bias = nn.Parameter(of_passes[: 1 if is_shared else passes].clone())

    @property
    def classes(self) -> int:
        """Number of logits per pass and feature position."""
        return len(self.shared)

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The tensors that a scan must receive as constants, in the order of `logits`."""
        return self.shared, self.own, self.index, self.bias

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
        *constants: Tensor,
        around: int = 0,
        enlarged: bool = True,
    ) -> Float[Tensor, "B m C R _"]:
        """The logits of the output of `rows`; around: number of times that outermost columns are
        repeated; enlarged: whether they will be.
        """
        shared, own, index, bias = constants
        patches = _shifted(rows, 3, self.kernel[1], self.dilation[1])
        if around:
            patches = F.pad(patches, (around, around, 0, 0), mode="replicate")
        flat = patches.flatten(2)
        few = flat.index_select(1, index).unflatten(1, (self.passes, -1))
        logits = (shared @ flat)[:, None] + bias + own @ few
        return lowered(logits.unflatten(3, patches.shape[2:]), enlarged=enlarged)


def divided(
    wide: Float[Tensor, "m C K"],
) -> tuple[Float[Tensor, "C K"], Float[Tensor, "m C D"], Int64[Tensor, "m D"]]:
    """Divide the weights of all passes into shared ones, and those of a few columns per pass that
    are added to them; index: these columns.

    A column of a pass is zero if it is dropped, and otherwise that of every pass that keeps it. The
    few columns take back what a pass drops; where more is dropped than kept, nothing is shared, and
    they are what it keeps.
    """
    kept = wide.abs().amax(dim=1) > 0
    first = kept.int().argmax(dim=0)  # the first pass that keeps a column
    common = wide[first, :, torch.arange(wide.shape[2])].T
    is_shared = bool((wide == common * kept[:, None]).all()) and 2 * kept.sum() >= kept.numel()
    chosen = ~kept if is_shared else kept
    most = max(1, int(chosen.sum(dim=1).max()))
    index = chosen.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    shared = common if is_shared else torch.zeros_like(common)
    own = (wide - shared).gather(2, index[:, None].expand(-1, wide.shape[1], -1))
    return shared.contiguous(), own.contiguous(), index


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


def groups(values: Tensor, size: int, *, dim: int) -> Sequence[Tensor]:
    """Split an axis into groups of `size`; one group is the tensor itself, which a graph would
    copy.
    """
    return [values] if size >= values.shape[dim] else values.split(size, dim=dim)


def chunks(values: Tensor, count: int, *, dim: int) -> Sequence[Tensor]:
    """Split an axis into `count` chunks; one chunk is the tensor itself."""
    return [values] if count == 1 else values.chunk(count, dim=dim)


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
