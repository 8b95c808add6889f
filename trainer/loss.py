"""The masked pixel loss: cross-entropy at the labelled pixels and nowhere else."""

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
    """Mean over the labelled pixels of -ln p(label), nats; 0 where there is none.

    Equals cross-entropy with ignored pixels on the full-size logits, which never exist here.
    Label 255 is padding. Didari et al. 2024, eq. 5.
    """
    predicted = at_points(logits, points, size).flatten(0, 1)
    total = F.cross_entropy(predicted, labels.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)
