"""The raster in bands of rows, for CPUs and any ratio of map size to feature size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trainer.graph import rows
from trainer.graph.raster import Pixelwise
from trainer.graph.rows import RowClassifier, groups, keeps_size, scan
from trainer.graph.subpixel import factor_of


class Bands(nn.Module):
    """Computes the map band by band, upsampling by two matrix products; any sizes, aligned or not.

    A band of map rows needs a few feature rows; a block of its columns needs a few feature columns.
    """

    picked: Tensor
    down: Tensor

    def __init__(
        self,
        classifier: nn.Conv2d,
        passes: int,
        size: tuple[int, int],
        *,
        features: tuple[int, int],
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.classifier, self.size = RowClassifier(classifier, passes), size
        shares = [mix(old, new, align_corners) for old, new in zip(features, size, strict=True)]
        self.high, blocks, self.passes = self._cut(features)
        bands = _windows(shares[0], self.high)
        kind = classifier.weight.dtype
        starts = torch.tensor([[band.start] for band in bands])
        # Buffers, because a scan takes only initializers.
        self.register_buffer("picked", (starts + torch.arange(bands[0].few)).flatten())
        self.register_buffer("down", torch.stack([band.shares for band in bands]).to(kind))
        self.columns = _windows(shares[1], math.ceil(size[1] / blocks))
        self.across = nn.ParameterList(
            nn.Parameter(block.shares[: block.used].T.to(kind).contiguous(), requires_grad=False)
            for block in self.columns
        )

    @staticmethod
    def fits(classifier: nn.Conv2d, features: tuple[int, int], size: tuple[int, int]) -> bool:
        """Whether the map is at least as large as the features, in both directions."""
        larger = all(own <= wanted for own, wanted in zip(features, size, strict=True))
        return larger and keeps_size(classifier) and factor_of(classifier) == 1

    def forward(
        self, features: Float[Tensor, "B K h w"], pixelwise: Pixelwise
    ) -> tuple[Tensor, ...]:
        """Maps [B, H, W] of the outputs of `pixelwise`."""
        count = len(self.down)
        picked = self.classifier.rows(features).index_select(2, self.picked)
        bands = picked.unflatten(2, (count, -1)).permute(2, 0, 1, 3, 4).contiguous()
        own = self.classifier.constants

        def band(
            state: Tensor, rows: Tensor, down: Tensor, *constants: Tensor
        ) -> tuple[Tensor, ...]:
            logits = self.classifier.logits(rows, *constants[: len(own)])
            blocks = self._blocks(logits, down, constants[len(own) :])
            maps = [
                [values.unflatten(1, (self.high, -1)) for values in pixelwise(block)]
                for block in blocks
            ]
            joined = (torch.cat(parts, dim=2).flatten(1) for parts in zip(*maps, strict=True))
            return state.clone(), *joined

        maps = scan(band, features.new_zeros(1), (bands, self.down), (*own, *self.across))
        return tuple(
            values.unflatten(2, (self.high, -1))
            .permute(1, 0, 2, 3)
            .flatten(1, 2)[:, : self.size[0]]
            for values in maps
        )

    def _cut(self, features: tuple[int, int]) -> tuple[int, int, int]:
        """Choose the rows per band (those between two feature rows, or as many as fit into the
        cache), the column blocks per band, and the passes at a time.
        """
        row = self.size[1] * self.classifier.classes
        high = max(math.ceil(self.size[0] / features[0]), rows.STRIP // row, 1)
        high = min(high, self.size[0])
        blocks = min(math.ceil(high * row / rows.BLOCK), features[1])
        passes = max(1, min(self.classifier.passes, rows.LARGEST * blocks // (high * row)))
        return high, blocks, passes

    def _blocks(
        self,
        logits: Float[Tensor, "B m C R w"],
        down: Float[Tensor, "high R"],
        across: tuple[Tensor, ...],
    ) -> Iterator[Iterator[Float[Tensor, "B _ C P"]]]:
        """Yield the pixels of a band, one block of columns after the other, a few passes at a
        time.
        """
        for block, shares in zip(self.columns, across, strict=True):
            columns = logits[..., block.start : block.start + block.few]
            yield (
                (down @ (few @ shares)).flatten(3) for few in groups(columns, self.passes, dim=1)
            )


@dataclass(frozen=True)
class _Window:
    """Interpolation weights of a run of new positions: `shares` [run, few] of the old positions
    from `start` on. used: number of the new positions inside the map; the others have zero weights.
    """

    start: int
    shares: Float[Tensor, "run few"]
    used: int

    @property
    def few(self) -> int:
        return self.shares.shape[1]


def mix(size: int, new_size: int, align_corners: bool) -> Float[Tensor, "new old"]:
    """Bilinear interpolation weights of the old positions for each new one, along one axis;
    float64.
    """
    place = (torch.arange(new_size, dtype=torch.float64) + 0.5) * (size / new_size) - 0.5
    if align_corners:
        place = torch.arange(new_size, dtype=torch.float64) * ((size - 1) / max(new_size - 1, 1))
    place = place.clamp(0, size - 1)
    distance = (place[:, None] - torch.arange(size, dtype=torch.float64)[None]).abs()
    return (1 - distance).clamp(min=0)


def _windows(shares: Float[Tensor, "new old"], run: int) -> list[_Window]:
    """Divide the new positions into windows of `run` positions, with equally many old positions."""
    runs = shares.split(run)
    spans = [part.sum(dim=0).nonzero()[:, 0].tolist() for part in runs]
    few = max(span[-1] - span[0] + 1 for span in spans)
    windows = []
    for part, span in zip(runs, spans, strict=True):
        start = min(span[0], shares.shape[1] - few)
        filled = shares.new_zeros(run, few)
        filled[: len(part)] = part[:, start : start + few]
        windows.append(_Window(start, filled, len(part)))
    return windows
