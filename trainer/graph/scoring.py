"""From features to the K best pixels: the module that export traces, and the PyTorch reference."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int32, UInt8
from torch import Tensor, nn

from scorer.contract import NO_PIXEL, NO_SCORE
from trainer.graph.acquisition import ACQUISITIONS, given
from trainer.graph.dropout import masks, widen
from trainer.graph.moments import Moments, accumulate
from trainer.graph.raster import Whole
from trainer.graph.scorable import Scorable


class Scores(NamedTuple):
    """The scores of a batch of images.

    score, pixel (row, column), label: of the K best pixels of each image, best first. If fewer
    pixels are eligible, the rest is filled with NO_SCORE, (-1, -1) and label -1. map: the
    acquisition's quantity. segmentation: the class of the largest mean probability. score_map: the
    score of every eligible pixel, NO_SCORE elsewhere.
    """

    score: Float[Tensor, "B K"]
    pixel: Int32[Tensor, "B K 2"]
    label: Int32[Tensor, "B K"]
    map: Float[Tensor, "B H W"]
    segmentation: Int32[Tensor, "B H W"]
    score_map: Float[Tensor, "B H W"]


class ScoringTail(nn.Module):
    """Computes scores from features: m passes as one widened classifier, moments, acquisition,
    TopK.

    rate, mask_seed: of the dropout masks. size: (height, width) of the map: the grid, or every
    stride-th pixel of it. raster: makes the raster (trainer/graph/tiling.py). align_corners: of the
    upsampling.
    """

    def __init__(  # noqa: PLR0913  # one per entry of the contract
        self,
        classifier: nn.Conv2d,
        *,
        rate: float,
        passes: int,
        mask_seed: int,
        acquisition: str,
        size: tuple[int, int],
        top_k: int,
        align_corners: bool = False,
        raster: Callable[..., nn.Module] = Whole,
    ) -> None:
        super().__init__()
        keep = masks(passes, classifier.in_channels, rate, mask_seed)
        wide = widen(classifier, keep, rate)
        self.passes = passes
        self.raster = raster(wide, passes, size, align_corners=align_corners)
        self.acquisition = ACQUISITIONS[acquisition]
        self.top_k = min(top_k, size[0] * size[1])

    def forward(
        self,
        features: Float[Tensor, "B K h w"],
        exclude: UInt8[Tensor, "B mapH mapW"],
        noise: Float[Tensor, "B mapH mapW"] | None = None,
    ) -> Scores:
        return self.looking(features, exclude, noise)[0]

    def looking(
        self,
        features: Float[Tensor, "B K h w"],
        exclude: UInt8[Tensor, "B mapH mapW"],
        noise: Float[Tensor, "B mapH mapW"] | None = None,
        more: Callable[[Moments], tuple[Tensor, ...]] | None = None,
    ) -> tuple[Scores, tuple[Tensor, ...]]:
        """The scores, and the maps [B, H, W] that `more` computes from the same moments."""
        label, *rest = self.raster(features, partial(self._pixelwise, more=more))
        quantity = given(noise) if self.acquisition.quantity is None else rest.pop(0)
        score = self.acquisition.score(quantity, noise)
        eligible = score.masked_fill(exclude.int() != 0, NO_SCORE) + _unless_bounded(features)
        found = Scores(*_best(eligible, label, self.top_k), quantity, label, eligible)
        return found, tuple(rest)

    def mean(self, features: Float[Tensor, "B K h w"]) -> Float[Tensor, "B C mapH mapW"]:
        """Mean class probabilities over the passes at every pixel of the map."""

        def means(logits: Iterable[Float[Tensor, "B _ C P"]]) -> tuple[Tensor, ...]:
            return accumulate(logits, self.passes, aleatoric=False).mean.unbind(dim=1)

        return torch.stack(self.raster(features, means), dim=1)

    def _pixelwise(
        self,
        logits: Iterable[Float[Tensor, "B _ C P"]],
        more: Callable[[Moments], tuple[Tensor, ...]] | None,
    ) -> tuple[Tensor, ...]:
        needed = self.acquisition.needs_aleatoric or more is not None
        moments = accumulate(logits, self.passes, aleatoric=needed)
        maps = [moments.mean.argmax(dim=1).int()]
        if self.acquisition.quantity is not None:
            maps.append(self.acquisition.quantity(moments))
        return (*maps, *(more(moments) if more else ()))


class ScoringNetwork(nn.Module):
    """A network and its scoring tail: the reference that graphs are compared with.

    options: those of ScoringTail except the classifier, the rate and align_corners, which the
    network provides.
    """

    def __init__(self, network: Scorable, **options: Any) -> None:
        super().__init__()
        self.network = network
        self.tail = ScoringTail(
            network.classifier,
            rate=network.dropout.rate,
            align_corners=network.align_corners,
            **options,
        ).eval()

    def forward(
        self,
        image: UInt8[Tensor, "B H W 3"],
        exclude: UInt8[Tensor, "B mapH mapW"],
        noise: Float[Tensor, "B mapH mapW"] | None = None,
    ) -> Scores:
        scores: Scores = self.tail(self.network.features(image), exclude, noise)
        return scores

    def mean(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B C mapH mapW"]:
        """Mean class probabilities over the passes at every pixel of the map."""
        return self.tail.mean(self.network.features(image))


def _unless_bounded(features: Float[Tensor, "B K h w"]) -> Float[Tensor, "B 1 1"]:
    """0, or NaN for an image with features that are not finite or exceed 1e19, whose squares
    overflow.

    Without it, runtimes whose minimum and maximum drop NaN would return scores for such images.
    """
    size = (features * features).sum(dim=(1, 2, 3))
    return (size - size)[:, None, None]


def _best(
    eligible: Float[Tensor, "B H W"], label: Int32[Tensor, "B H W"], top_k: int
) -> tuple[Float[Tensor, "B K"], Int32[Tensor, "B K 2"], Int32[Tensor, "B K"]]:
    width = eligible.shape[2]
    best, index = eligible.flatten(1).topk(top_k, dim=1)
    row = torch.div(index, width, rounding_mode="trunc")
    pixel = torch.stack((row, index - row * width), dim=2)
    none_left = best <= NO_SCORE
    return (
        best,
        pixel.masked_fill(none_left[..., None], NO_PIXEL).int(),
        label.flatten(1).gather(1, index).masked_fill(none_left, NO_PIXEL),
    )
