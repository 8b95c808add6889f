"""The PyTorch module from features to the outputs of a plain network."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scorer.plain import PROBABILITIES
from trainer.graph.scorable import Scorable
from trainer.graph.upsampling import upsample


class PlainTail(nn.Module):
    """Computes a class map or probabilities from features: classifier without dropout,
    upsampling.
    """

    def __init__(self, network: Scorable, size: tuple[int, int], output: str) -> None:
        super().__init__()
        self.classifier, self.size, self.output = network.classifier, size, output
        self.align_corners = network.align_corners

    def forward(
        self, features: Float[Tensor, "B K h w"]
    ) -> Float[Tensor, "B C H W"] | UInt8[Tensor, "B H W"]:
        scores = upsample(self.classifier(features), self.size, align_corners=self.align_corners)
        if self.output == PROBABILITIES:
            # In place of softmax, for which ONNX Runtime transposes the whole tensor.
            powers = (scores - scores.amax(1, keepdim=True)).exp()
            return powers / powers.sum(1, keepdim=True)
        return scores.argmax(1).to(torch.uint8)
