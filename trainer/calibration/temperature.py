"""The temperature of a model: one number that all its class scores are divided by. Guo et al. 2017.

It changes how sure a model is, and no predicted class.
"""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from trainer.calibration import LEAST, MOST
from trainer.model import Card
from trainer.network import BayesianNetwork

_HALVINGS = 20  # of ln MOST - ln LEAST: to five digits


def nll(
    logits: Float[Tensor, "N C"], classes: Int64[Tensor, " N"], temperature: float
) -> Float[Tensor, " N"]:
    """Negative log likelihood: -ln softmax(logits / temperature) of the true class, nats; >= 0."""
    return F.cross_entropy(logits / temperature, classes, reduction="none")


def fit(logits: Float[Tensor, "N C"], classes: Int64[Tensor, " N"]) -> float | None:
    """The temperature of the least mean `nll`; None where that is not between LEAST and MOST: all
    pixels are right, or the model knows nothing of them.

    The mean is convex in 1 / temperature: its slope, mean of softmax(logits / temperature) · logits
    - logits of the true class, rises, and is 0 once. It is found by halving on the logarithm.
    """
    true = logits.gather(1, classes[:, None]).mean()

    def is_too_cold(log: float) -> bool:
        expected = ((logits * math.exp(-log)).softmax(1) * logits).sum(1).mean()
        return bool(expected > true)

    low, high = math.log(LEAST), math.log(MOST)
    if not is_too_cold(low) or is_too_cold(high):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_too_cold(middle) else (low, middle)
    return math.exp((low + high) / 2)


@torch.no_grad()
def bake(network: BayesianNetwork, card: Card, temperature: float) -> Card:
    """Give a network this temperature in place of its own, in the weights of its classifier.

    The classifier is linear and the last layer: with its weights and its bias, all that it gives is
    divided, with dropout before it or without. Returns the card that says so.
    """
    for values in network.classifier.parameters():
        values.copy_(values.double() * (card.temperature / temperature))
    return replace(card, temperature=temperature)
