"""The raster in strips of rows, for CPUs and maps that are a whole multiple of the features."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from trainer.graph import rows
from trainer.graph.moments import lowered
from trainer.graph.raster import Pixelwise
from trainer.graph.rows import RowClassifier, chunks, groups, keeps_size, scan
from trainer.graph.subpixel import factor_of


class Strips(nn.Module):
    """Computes the map in strips of whole rows of cells; a cell lies between four feature
    positions.

    Every pixel of a cell is a mix of the four with fixed weights, which are the same in all cells
    if the map is a whole multiple of the features: upsampling is a matrix product with four
    columns. If both sizes are equal, a cell is a pixel. Aligned corners have other weights in every
    cell: bands.py. If the classifier scores several pixels per feature position, these are a cell,
    and nothing is upsampled.
    """

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        # it makes no difference where nothing is upsampled
        align_corners: bool = False,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.classifier, self.size = RowClassifier(classifier, passes), size
        self.side = factor_of(classifier)

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the map is a whole multiple of the features, which upsampling or the classifier
        makes up.
        """
        factor = size[0] // features[0]
        whole = factor > 0 and size == (factor * features[0], factor * features[1])
        return whole and keeps_size(classifier) and factor_of(classifier) in (1, factor)

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of the outputs of `pixelwise`."""
        factor = self.size[0] // (self.side * features.shape[2])
        # One more row of cells than of feature positions, and two more columns: the outermost are
        # repeated, behind a classifier with a wide kernel and not before it.
        extra = 0 if factor == 1 else 1
        late = extra if self.classifier.wide else 0
        cut = self._cut(features.shape[2] + extra, features.shape[3] + 2 * extra, factor)
        padded = _padded(self.classifier.rows(features), cut.strips * cut.rows, extra, extra - late)
        strips = padded.unflatten(2, (cut.strips, cut.rows)).permute(2, 0, 1, 3, 4)

        how: dict[str, Any] = {"around": late, "enlarged": factor > 1}

        def strip(last: Tensor, rows: Tensor, *constants: Tensor) -> tuple[Tensor, ...]:
            logits = self.classifier.logits(rows, *constants, **how)
            blocks = _blocks(last, logits, cut, factor)
            maps = [pixelwise(_apart(block, self.side)) for block in blocks]
            kept = logits[:, :, :, -1:].clone(memory_format=torch.contiguous_format)
            return kept, *_joined(maps)

        constants = self.classifier.constants
        first = self.classifier.logits(padded[:, :, :1], *constants, **how).contiguous()
        maps = scan(strip, first, (strips.contiguous(),), constants)
        return tuple(self._assembled(values, cut.rows, factor * self.side) for values in maps)

    def _cut(self, height: int, width: int, factor: int) -> "_Cut":
        """Divide height x width cells of factor x factor pixels into strips and blocks."""
        row = width * factor**2 * self.classifier.classes
        high = math.ceil(height / math.ceil(height / max(1, rows.STRIP // row)))
        blocks = math.ceil(high * row / rows.BLOCK)
        passes = max(1, min(self.classifier.passes, rows.LARGEST * blocks // (high * row)))
        return _Cut(math.ceil(height / high), high, blocks, passes)

    def _assembled(
        self, values: Shaped[Tensor, "n B P"], rows: int, factor: int
    ) -> Shaped[Tensor, "B H W"]:
        """A map from pixels in the order strip, row of cells, cell, row within the cell."""
        pixels = values.unflatten(2, (rows, -1, factor, factor))
        whole: Tensor = pixels.permute(1, 0, 2, 4, 3, 5).flatten(4).flatten(1, 3)
        start = factor // 2 if self.side == 1 else 0  # half of the first cells lies outside
        height, width = self.size
        return whole[:, start : start + height, start : start + width]


class _Cut(NamedTuple):
    """Number of strips, rows of cells per strip, column blocks per strip, and passes at a time."""

    strips: int
    rows: int
    blocks: int
    passes: int


def corner_weights(factor: int) -> Float[Tensor, "4 r2"]:
    """Weights of the corners (above left, above right, below left, below right) per pixel of a
    cell.
    """
    below = (torch.arange(factor) - factor // 2 + 0.5 + factor / 2) / factor
    share = torch.stack((1 - below, below))
    return (share[:, None, :, None] * share[None, :, None, :]).reshape(4, -1)


def _padded(features: Tensor, rows: int, extra: int, columns: int) -> Tensor:
    """Repeat the last row and the outermost columns, and add zeros below for strips of equal
    height.
    """
    repeated = features
    if extra or columns:
        repeated = F.pad(features, (columns, columns, 0, extra), mode="replicate")
    missing = rows - repeated.shape[2]
    return F.pad(repeated, (0, 0, 0, missing)) if missing else repeated


def _blocks(
    last: Float[Tensor, "B m C 1 w"], logits: Float[Tensor, "B m C R w"], cut: _Cut, factor: int
) -> Iterator[Iterator[Float[Tensor, "B _ C P"]]]:
    """Yield the pixels of a strip, block by block, a few passes at a time."""
    if factor == 1:
        for block in chunks(logits.flatten(3), cut.blocks, dim=3):
            yield iter(groups(block, cut.passes, dim=1))
        return
    for block in chunks(_corners(last, logits), cut.blocks, dim=4):
        yield _upsampled(block, cut.passes, factor)


def _apart(
    block: Iterator[Float[Tensor, "B _ D P"]], side: int
) -> Iterator[Float[Tensor, "B _ C P2"]]:
    """The side x side pixels that the classifier scores per feature position, as separate
    pixels.
    """
    if side == 1:
        yield from block
        return
    for few in block:
        yield lowered(few.unflatten(2, (-1, side**2)).transpose(3, 4), enlarged=False).flatten(3)


def _corners(
    last: Float[Tensor, "B m C 1 w"], logits: Float[Tensor, "B m C R w"]
) -> Float[Tensor, "4 B m C X"]:
    """The logits at the four corners of each cell; last: the row of positions above `logits`."""
    above = last if logits.shape[3] == 1 else torch.cat((last, logits[:, :, :, :-1]), dim=3)
    top, bottom = above.flatten(3), logits.flatten(3)
    # The right neighbour is the next in memory; the last cell of a row is cut off at the end.
    return torch.stack((top, F.pad(top[..., 1:], (0, 1)), bottom, F.pad(bottom[..., 1:], (0, 1))))


def _upsampled(
    corners: Float[Tensor, "4 B m C X"], passes: int, factor: int
) -> Iterator[Float[Tensor, "B _ C P"]]:
    weights = corner_weights(factor).to(corners.dtype)
    for few in groups(corners, passes, dim=2):
        yield (few.flatten(1).T @ weights).view(*few.shape[1:4], -1)


def _joined(maps: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(values, dim=1) for values in zip(*maps, strict=True))
