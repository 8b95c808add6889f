"""The loss for sparse labels: cross-entropy at the labelled pixels alone."""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from trainer.masks import IGNORE
from trainer.network import at_points


def sparse_cross_entropy(
    logits: Float[Tensor, "B C h w"],
    points: Float[Tensor, "B N 2"],
    labels: Int64[Tensor, "B N"],
    size: tuple[int, int],
) -> Float[Tensor, ""]:
    """Mean of -ln p(label) over the labelled pixels, nats; 0 if there are none.

    Equals cross-entropy with ignored pixels on full-size logits, which are never computed here.
    Label 255 is padding. Didari et al. 2024, eq. 5.
    """
    predicted = at_points(logits, points, size).flatten(0, 1)
    total = F.cross_entropy(predicted, labels.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)
