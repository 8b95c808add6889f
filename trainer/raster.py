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


class Strips(nn.Module):
    """The grid as strips of whole rows of cells; a cell is what lies between four feature points.

    Every pixel of a cell is a fixed mix of the four, the same in all cells where the grid is a
    whole multiple of the feature grid: the upsampling is one matrix product with four columns.
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
        # As a matrix from the start: the scan must take initializers as they are (_scan).
        self.weight = nn.Parameter(classifier.weight.detach().flatten(1))
        bias = classifier.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach()[:, None])

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the grid is a whole multiple of the feature grid, and the classifier 1x1.

        Where the two grids are the same nothing is upsampled, and nothing gained by strips.
        """
        factor = size[0] // features[0]
        whole = factor > 1 and size == (factor * features[0], factor * features[1])
        return whole and tuple(classifier.kernel_size) == (1, 1)

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of what `pixelwise` gives."""
        factor = self.size[0] // features.shape[2]
        # One row of cells more than of feature points, and two columns.
        cut = self._cut(features.shape[2] + 1, features.shape[3] + 2, factor)
        padded = _padded(features, cut.strips * cut.rows)
        strips = padded.unflatten(2, (cut.strips, cut.rows)).permute(2, 0, 1, 3, 4)

        def strip(last: Tensor, features: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
            logits = self._logits(features, *weights)
            blocks = _corners(last, logits).chunk(cut.blocks, dim=4)
            maps = [pixelwise(_upsampled(block, cut.passes, factor)) for block in blocks]
            kept = logits[:, :, :, -1:].clone(memory_format=torch.contiguous_format)
            return kept, *_joined(maps)

        weights = (self.weight,) if self.bias is None else (self.weight, self.bias)
        first = self._logits(padded[:, :, :1], *weights).contiguous()
        maps = _scan(strip, first, strips.contiguous(), weights)
        return tuple(self._assembled(values, cut.rows, factor) for values in maps)

    def _cut(self, height: int, width: int, factor: int) -> "_Cut":
        """How to cut height x width cells of factor x factor pixels."""
        row = width * factor**2 * (self.weight.shape[0] // self.passes)
        rows = math.ceil(height / math.ceil(height / max(1, _STRIP // row)))
        blocks = math.ceil(rows * row / _BLOCK)
        passes = max(1, min(self.passes, _LARGEST * blocks // (rows * row)))
        return _Cut(math.ceil(height / rows), rows, blocks, passes)

    def _logits(
        self, features: Float[Tensor, "B K R w"], weight: Tensor, bias: Tensor | None = None
    ) -> Float[Tensor, "B m C R w"]:
        logits = weight @ features.flatten(2)
        logits = logits if bias is None else logits + bias
        return lowered(logits.unflatten(2, features.shape[2:]).unflatten(1, (self.passes, -1)))

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


def _padded(features: Tensor, rows: int) -> Tensor:
    """Repeat the outermost columns and the last row; zeros below, for strips of equal height."""
    repeated = F.pad(features, (1, 1, 0, 1), mode="replicate")
    missing = rows - repeated.shape[2]
    return F.pad(repeated, (0, 0, 0, missing)) if missing else repeated


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
