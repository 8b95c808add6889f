"""How the pixels of the grid are walked, from features to maps.

Whole: all pixels of a few passes in each tensor, for GPU compilers, which fuse what follows.
Strips: all of the work on one strip of the grid before the next, for CPUs: the tensors stay in the
cache, and the bilinear upsampling is a small matrix product. Both feed the same formulas.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan_op

from trainer.moments import lowered
from trainer.network import upsample

# Upsampled logits [B, g, C, P], a few passes at a time, to maps [B, P] of those pixels.
Pixelwise = Callable[[Iterable[Tensor]], tuple[Tensor, ...]]

# Passes whose full-size logits `Whole` holds at a time.
_WHOLE = 5
# Elements of a map of all classes in a strip and in a block of it, and of the largest tensor: large
# enough for a runtime's overhead per operator not to count, small enough for a core's cache.
_STRIP = 20_000
_BLOCK = 60_000
_LARGEST = 160_000


class Raster(Protocol):
    """From features to maps."""

    def __call__(self, features: Tensor, pixelwise: Pixelwise) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of what `pixelwise` gives for features [B, K, h, w]."""
        ...


class Whole(nn.Module):
    """The grid as one piece, whatever the sizes and the classifier."""

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.classifier, self.passes, self.size = classifier, passes, size
        self.align_corners = align_corners

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of what `pixelwise` gives."""
        maps = pixelwise(self._upsampled(features))
        return tuple(values.unflatten(1, self.size) for values in maps)

    def _upsampled(self, features: Float[Tensor, "B K h w"]) -> Iterator[Float[Tensor, "B _ C P"]]:
        for few in self._logits(features):
            full = upsample(few.flatten(1, 2), self.size, align_corners=self.align_corners)
            yield full.flatten(2).unflatten(1, few.shape[1:3])

    def _logits(self, features: Float[Tensor, "B K h w"]) -> Iterator[Float[Tensor, "B _ C h w"]]:
        """A few passes at a time; where features are smaller than the map, from one convolution."""
        if features.shape[2] < self.size[0]:
            logits = lowered(self.classifier(features).unflatten(1, (self.passes, -1)))
            yield from logits.split(_WHOLE, dim=1)
            return
        # As large as the map: all passes of all classes must not exist at once.
        head = self.classifier
        classes = head.out_channels // self.passes
        for start in range(0, head.out_channels, _WHOLE * classes):
            part = slice(start, start + _WHOLE * classes)
            bias = None if head.bias is None else head.bias[part]
            few = F.conv2d(
                features, head.weight[part], bias, head.stride, head.padding, head.dilation
            )
            yield lowered(few.unflatten(1, (-1, classes)))


class Coarse(nn.Module):
    """A map of one pixel for `factor` x `factor` features, an even number.

    Bilinear reduction takes the mean of the two by two pixels in the middle of such a block. Behind
    a linear classifier that is one convolution with a stride: no logits of all features exist.
    """

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        factor: int,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        assert not align_corners, "the middle of a block is another with aligned corners"
        self.whole = Whole(_with_stride(classifier, factor), passes, size)

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the features are an even multiple of the map."""
        factor = features[0] // size[0]
        even = factor > 0 and factor % 2 == 0
        exact = features == (factor * size[0], factor * size[1])
        return even and exact and _keeps_size(classifier) and tuple(classifier.dilation) == (1, 1)

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of what `pixelwise` gives."""
        maps: tuple[Tensor, ...] = self.whole(features, pixelwise)
        return maps


class Strips(nn.Module):
    """The grid as strips of whole rows of cells; a cell is what lies between four feature points.

    Every pixel of a cell is a fixed mix of the four, the same in all cells where the grid is a
    whole multiple of the feature grid: the upsampling is one matrix product with four columns.
    Where the two grids are the same a cell is a pixel.
    """

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        assert not align_corners, "cells share their weights only between pixel centres"
        self.passes, self.size = passes, size
        self.kernel, self.dilation = classifier.kernel_size, classifier.dilation
        # As a matrix from the start: the scan must take initializers as they are (_scan). Its
        # columns are ordered as `_shifted` stacks rows first and columns after them.
        self.weight = nn.Parameter(classifier.weight.detach().permute(0, 3, 2, 1).flatten(1))
        bias = classifier.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach()[:, None])

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the grid is a whole multiple of the feature grid, and what enlarges it."""
        factor = size[0] // features[0]
        whole = factor > 0 and size == (factor * features[0], factor * features[1])
        return whole and _keeps_size(classifier)

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of what `pixelwise` gives."""
        factor = self.size[0] // features.shape[2]
        # One row of cells more than of feature points, and two columns.
        extra = 0 if factor == 1 else 1
        cut = self._cut(features.shape[2] + extra, features.shape[3] + 2 * extra, factor)
        rows = _shifted(features, 2, self.kernel[0], self.dilation[0])
        padded = _padded(rows, cut.strips * cut.rows, extra, self._early * extra)
        strips = padded.unflatten(2, (cut.strips, cut.rows)).permute(2, 0, 1, 3, 4)

        def strip(last: Tensor, features: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
            logits = self._logits(features, extra, *weights)
            maps = [pixelwise(block) for block in _blocks(last, logits, cut, factor)]
            kept = logits[:, :, :, -1:].clone(memory_format=torch.contiguous_format)
            return kept, *_joined(maps)

        weights = (self.weight,) if self.bias is None else (self.weight, self.bias)
        first = self._logits(padded[:, :, :1], extra, *weights).contiguous()
        maps = _scan(strip, first, strips.contiguous(), weights)
        return tuple(self._assembled(values, cut.rows, factor) for values in maps)

    @property
    def _early(self) -> int:
        """1 where the outermost columns may be repeated before the classifier looks at them."""
        return 1 if self.kernel[1] == 1 else 0

    def _cut(self, height: int, width: int, factor: int) -> "_Cut":
        """How to cut height x width cells of factor x factor pixels."""
        row = width * factor**2 * (self.weight.shape[0] // self.passes)
        rows = math.ceil(height / math.ceil(height / max(1, _STRIP // row)))
        blocks = math.ceil(rows * row / _BLOCK)
        passes = max(1, min(self.passes, _LARGEST * blocks // (rows * row)))
        return _Cut(math.ceil(height / rows), rows, blocks, passes)

    def _logits(
        self,
        features: Float[Tensor, "B K R w"],
        extra: int,
        weight: Tensor,
        bias: Tensor | None = None,
    ) -> Float[Tensor, "B m C R _"]:
        patches = _shifted(features, 3, self.kernel[1], self.dilation[1])
        if extra and not self._early:
            patches = F.pad(patches, (1, 1, 0, 0), mode="replicate")
        logits = weight @ patches.flatten(2)
        logits = logits if bias is None else logits + bias
        return lowered(logits.unflatten(2, patches.shape[2:]).unflatten(1, (self.passes, -1)))

    def _assembled(
        self, values: Shaped[Tensor, "n B P"], rows: int, factor: int
    ) -> Shaped[Tensor, "B H W"]:
        """From pixels in the order strip, row of cells, cell, row in the cell to a map."""
        pixels = values.unflatten(2, (rows, -1, factor, factor))
        whole: Tensor = pixels.permute(1, 0, 2, 4, 3, 5).flatten(4).flatten(1, 3)
        start = factor // 2  # the first cells lie half outside
        height, width = self.size
        return whole[:, start : start + height, start : start + width]


class _Cut(NamedTuple):
    """Strips of so many rows of cells; blocks of columns in each; passes at a time."""

    strips: int
    rows: int
    blocks: int
    passes: int


def corner_weights(factor: int) -> Float[Tensor, "4 r2"]:
    """Of the corners (above left, above right, below left, below right) in each pixel of a cell."""
    below = (torch.arange(factor) - factor // 2 + 0.5 + factor / 2) / factor
    share = torch.stack((1 - below, below))
    return (share[:, None, :, None] * share[None, :, None, :]).reshape(4, -1)


def _keeps_size(classifier: nn.Conv2d) -> bool:
    """Whether a convolution has as many outputs as inputs, with zeros around them."""
    padding = _padding(classifier)
    reach = [d * (k - 1) for d, k in zip(classifier.dilation, classifier.kernel_size, strict=True)]
    return tuple(classifier.stride) == (1, 1) and [2 * side for side in padding] == reach


def _padding(classifier: nn.Conv2d) -> list[int]:
    """Zeros above and left of the image; "valid" and "same" in numbers."""
    if isinstance(classifier.padding, str):
        around = classifier._reversed_padding_repeated_twice
        return [around[2], around[0]]
    return list(classifier.padding)


def _with_stride(classifier: nn.Conv2d, factor: int) -> nn.Conv2d:
    """The classifier and bilinear reduction by an even factor, as one convolution."""
    weight = classifier.weight.detach()
    around = F.pad(weight, (1, 1, 1, 1))
    mean = (around[..., 1:, :] + around[..., :-1, :]) / 2
    mean = (mean[..., 1:] + mean[..., :-1]) / 2
    # A block's middle begins factor / 2 - 1 pixels behind its corner.
    padding = [side + 1 - factor // 2 for side in _padding(classifier)]
    missing = [max(0, -side) for side in padding]
    mean = F.pad(mean, (missing[1], 0, missing[0], 0))
    layer = nn.Conv2d(
        classifier.in_channels,
        classifier.out_channels,
        kernel_size=mean.shape[2:],  # type: ignore[arg-type]
        stride=factor,
        padding=[max(0, side) for side in padding],  # type: ignore[arg-type]
        bias=classifier.bias is not None,
        dtype=mean.dtype,
    ).requires_grad_(False)
    layer.weight.copy_(mean)
    if classifier.bias is not None and layer.bias is not None:
        layer.bias.copy_(classifier.bias.detach())
    return layer


def _shifted(
    values: Float[Tensor, "B K h w"], axis: int, kernel: int, dilation: int
) -> Float[Tensor, "B _ h w"]:
    """Each place with its `kernel` neighbours along an axis as more channels; zeros outside."""
    if kernel == 1:
        return values
    reach = (kernel - 1) // 2 * dilation
    around = F.pad(values, (0, 0, reach, reach) if axis == 2 else (reach, reach))
    length = values.shape[axis]
    parts = [around.narrow(axis, index * dilation, length) for index in range(kernel)]
    return torch.cat(parts, dim=1)


def _padded(features: Tensor, rows: int, extra: int, columns: int) -> Tensor:
    """Repeat the last row and the outermost columns; zeros below, for strips of equal height."""
    repeated = features
    if extra or columns:
        repeated = F.pad(features, (columns, columns, 0, extra), mode="replicate")
    missing = rows - repeated.shape[2]
    return F.pad(repeated, (0, 0, 0, missing)) if missing else repeated


def _blocks(
    last: Float[Tensor, "B m C 1 w"], logits: Float[Tensor, "B m C R w"], cut: _Cut, factor: int
) -> Iterator[Iterator[Float[Tensor, "B _ C P"]]]:
    """The pixels of a strip, block by block, a few passes at a time."""
    if factor == 1:
        for block in logits.flatten(3).chunk(cut.blocks, dim=3):
            yield iter(block.split(cut.passes, dim=1))
        return
    for block in _corners(last, logits).chunk(cut.blocks, dim=4):
        yield _upsampled(block, cut.passes, factor)


def _corners(
    last: Float[Tensor, "B m C 1 w"], logits: Float[Tensor, "B m C R w"]
) -> Float[Tensor, "4 B m C X"]:
    """The four corners of each cell; `last` is the row of points above those of `logits`."""
    above = last if logits.shape[3] == 1 else torch.cat((last, logits[:, :, :, :-1]), dim=3)
    top, bottom = above.flatten(3), logits.flatten(3)
    # The right neighbour is the next in memory; the last cell of a row is cut off at the end.
    return torch.stack((top, F.pad(top[..., 1:], (0, 1)), bottom, F.pad(bottom[..., 1:], (0, 1))))


def _upsampled(
    corners: Float[Tensor, "4 B m C X"], passes: int, factor: int
) -> Iterator[Float[Tensor, "B _ C P"]]:
    weights = corner_weights(factor).to(corners.dtype)
    for few in corners.split(passes, dim=2):
        yield (few.flatten(1).T @ weights).view(*few.shape[1:4], -1)


def _joined(maps: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(values, dim=1) for values in zip(*maps, strict=True))


def _scan(
    body: Callable[..., tuple[Tensor, ...]],
    state: Tensor,
    inputs: Float[Tensor, "n *rest"],
    constants: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """body(state, input, *constants) → next state and outputs, over all inputs; the outputs.

    One operator in a graph, a loop in PyTorch: the same body. The graph's scan knows only what it
    is handed; of `constants` OpenVINO takes nothing but initializers.
    """
    if torch.compiler.is_exporting():
        return tuple(scan_op(body, [state], [inputs], constants)[1:])
    collected = []
    for item in inputs:
        state, *outputs = body(state, item, *constants)
        collected.append(outputs)
    return tuple(torch.stack(values) for values in zip(*collected, strict=True))
