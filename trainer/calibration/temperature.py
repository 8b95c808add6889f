"""Temperature scaling: divides all class scores of a model by one number. Guo et al. 2017.

It changes the confidence of a model, and no predicted class.
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

_HALVINGS = 20  # bisections of the interval from ln LEAST to ln MOST: five digits


def nll(
    logits: Float[Tensor, "N C"], classes: Int64[Tensor, " N"], temperature: float
) -> Float[Tensor, " N"]:
    """Negative log-likelihood per pixel: -ln softmax(logits / temperature) of the true class, nats;
    ≥ 0.
    """
    return F.cross_entropy(logits / temperature, classes, reduction="none")


def fit(logits: Float[Tensor, "N C"], classes: Int64[Tensor, " N"]) -> float | None:
    """The temperature that minimises the mean `nll`; None where it is not between LEAST and MOST:
    all pixels are right, or the model is no better than guessing.

    The mean is convex in 1 / temperature. Its slope, the mean of softmax(logits / temperature) ·
    logits - logits of the true class, rises and has one zero, which is found by bisection of ln
    temperature.
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
    """Set a network's temperature, in place of its own, by scaling the weights of its classifier.

    The classifier is linear and the last layer, so that dividing its weights and bias divides all
    scores, with and without dropout. Returns the card with the new temperature.
    """
    for values in network.classifier.parameters():
        values.copy_(values.double() * (card.temperature / temperature))
    return replace(card, temperature=temperature)
