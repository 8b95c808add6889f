"""From an image to its K best pixels: the module that export traces, and its PyTorch reference."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int32, UInt8
from torch import Tensor, nn

from scorer.contract import NO_PIXEL, NO_SCORE
from trainer.acquisition import ACQUISITIONS
from trainer.dropout import masks, widen
from trainer.moments import Moments, accumulate
from trainer.network import BayesianNetwork


class Scores(NamedTuple):
    """The K best pixels of each image, best first, and the map of the acquisition's quantity.

    Places for which no eligible pixel was left hold NO_SCORE, (-1, -1) and label -1.
    """

    score: Float[Tensor, "B K"]
    pixel: Int32[Tensor, "B K 2"]
    label: Int32[Tensor, "B K"]
    map: Float[Tensor, "B H W"]


class ScoringNetwork(nn.Module):
    """Network once, m passes as one widened classifier, moments, acquisition, TopK.

    Grafting and tests may hand in any trunk and classifier; the masks come from `mask_seed`.
    """

    def __init__(
        self,
        network: BayesianNetwork,
        *,
        passes: int,
        mask_seed: int,
        acquisition: str,
        size: tuple[int, int],
        top_k: int,
    ) -> None:
        super().__init__()
        rate = network.dropout.rate
        keep = masks(passes, network.classifier.in_channels, rate, mask_seed)
        self.network = network.eval()
        self.wide_classifier = widen(network.classifier, keep, rate)
        self.passes, self.size = passes, size
        self.acquisition = ACQUISITIONS[acquisition]
        self.top_k = min(top_k, size[0] * size[1])

    def forward(
        self,
        image: UInt8[Tensor, "B H W 3"],
        exclude: UInt8[Tensor, "B H W"],
        noise: Float[Tensor, "B H W"] | None = None,
    ) -> Scores:
        moments = self.moments(image)
        quantity = self.acquisition.quantity(moments, noise)
        score = self.acquisition.score(quantity, noise)
        return Scores(*_best(score, exclude, moments.mean, self.top_k), quantity)

    def moments(self, image: UInt8[Tensor, "B H W 3"]) -> Moments:
        """Mean and variances over the passes at every pixel of the grid."""
        logits = self.wide_classifier(self.network.features(image))
        with_entropy = self.acquisition.needs_aleatoric
        return accumulate(logits, self.passes, self.size, aleatoric=with_entropy)


def _best(
    score: Float[Tensor, "B H W"],
    exclude: UInt8[Tensor, "B H W"],
    mean: Float[Tensor, "B C H W"],
    top_k: int,
) -> tuple[Float[Tensor, "B K"], Int32[Tensor, "B K 2"], Int32[Tensor, "B K"]]:
    width = score.shape[2]
    eligible = score.masked_fill(exclude != 0, NO_SCORE).flatten(1)
    best, index = eligible.topk(top_k, dim=1)
    row = torch.div(index, width, rounding_mode="trunc")
    pixel = torch.stack((row, index - row * width), dim=2)
    chosen = mean.flatten(2).gather(2, index[:, None].expand(-1, mean.shape[1], -1))
    label = chosen.argmax(dim=1)
    none_left = best <= NO_SCORE
    return (
        best,
        pixel.masked_fill(none_left[..., None], NO_PIXEL).int(),
        label.masked_fill(none_left, NO_PIXEL).int(),
    )
