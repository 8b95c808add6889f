"""What stands behind the features of a plain network, in PyTorch."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scorer.plain import PROBABILITIES
from trainer.graph.scorable import Scorable
from trainer.graph.upsampling import upsample


class PlainTail(nn.Module):
    """Features to what the graph gives: the classifier without dropout, enlarged to the input."""

    def __init__(self, network: Scorable, size: tuple[int, int], output: str) -> None:
        super().__init__()
        self.classifier, self.size, self.output = network.classifier, size, output
        self.align_corners = network.align_corners

    def forward(
        self, features: Float[Tensor, "B K h w"]
    ) -> Float[Tensor, "B C H W"] | UInt8[Tensor, "B H W"]:
        scores = upsample(self.classifier(features), self.size, align_corners=self.align_corners)
        if self.output == PROBABILITIES:
            # Not softmax: along the second axis ONNX Runtime turns the whole tensor for it.
            powers = (scores - scores.amax(1, keepdim=True)).exp()
            return powers / powers.sum(1, keepdim=True)
        return scores.argmax(1).to(torch.uint8)
