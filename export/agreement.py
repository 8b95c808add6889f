"""Proof that a classifier was understood: its scores against those of the network as a whole."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from export.head import Head
from export.nodes import called
from export.probe import Array
from scorer.errors import CannotGraft
from trainer.dropout import FeatureDropout, masks, widen
from trainer.network import upsample

# Share of the pixels of a test image that must keep the class that the whole network gives them;
# where its way of enlarging is replaced by a bilinear step, pixels along borders may change.
_LEAST, _LEAST_IF_REPLACED = 0.98, 0.6
_LARGEST_ERROR = 2e-2  # float16 networks are right to about 1e-3


@dataclass(frozen=True)
class Agreement:
    """Of a test image: the largest difference of logits, relative to the largest logit, and the
    share of pixels whose class is that of the whole network; None: its output names none.
    """

    error: float
    labels: float | None


@torch.inference_mode()
def agree(
    head: Head,
    classifier: nn.Conv2d,
    features: Float[Tensor, "1 K h w"],
    scores: Float[Tensor, "1 _ h w"],
    output: Array,
) -> Agreement:
    """Compare classifier(features) with the network's own scores at its classifier, and its
    enlargement with the network's output; raises CannotGraft where they differ.
    """
    logits = classifier(features)
    error = _error(head, logits, scores)
    if not error <= _LARGEST_ERROR:
        raise CannotGraft(
            f"the classifier {head.classifier.logits!r} was not understood: its scores are not the "
            f"network's (off by {error:.1%})",
            remedy="please report it, with the network's last layers",
        )
    expected = _labels(head, output)
    if expected is None:
        return Agreement(error, None)
    full = upsample(logits, expected.shape, align_corners=head.align_corners)
    share = float((full[0].argmax(dim=0).numpy() == expected).mean())
    if share < (_LEAST_IF_REPLACED if head.replaced else _LEAST):
        raise CannotGraft(
            f"what the network does behind its classifier changes the class of {1 - share:.0%} of "
            f"the pixels of a test image: {', '.join(called(node) for node in head.behind)}",
            remedy="expected nothing but enlarging, softmax and argmax; a crop or a pad is gone "
            "at a --size that the network need not pad",
        )
    return Agreement(error, share)


@torch.inference_mode()
def check_dropout(
    head: Head,
    classifier: nn.Conv2d,
    dropout: FeatureDropout,
    features: Float[Tensor, "1 K h w"],
) -> None:
    """Raise CannotGraft unless two passes differ somewhere in the test image."""
    keep = masks(2, classifier.in_channels, dropout.rate, seed=0)
    one, other = widen(classifier, keep, dropout.rate)(features).chunk(2, dim=1)
    if torch.equal(one, other):
        raise CannotGraft(
            f"dropping channels of {head.classifier.features[0]!r} changes no score of a test "
            "image: dropout there would have no effect",
            remedy="is the network trained, and --preset the way its images are prepared?",
        )


def _error(head: Head, logits: Float[Tensor, "1 C h w"], scores: Float[Tensor, "1 _ h w"]) -> float:
    scale, shift = (torch.from_numpy(v)[:, None, None] for v in (head.scale, head.shift))
    expected = scores * scale + shift
    own = logits[:, -head.classifier.classes :]  # of a single score's two classes the second
    if own.shape != expected.shape:
        return math.inf
    return float((own - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def _labels(head: Head, output: Array) -> npt.NDArray[np.int64] | None:
    """The map of classes [H, W] that the network's output says; None where it is no such map."""
    flat = np.squeeze(output)
    classes = head.classifier.classes
    if head.ends_with("ArgMax"):
        return flat.astype(np.int64) if flat.ndim == 2 else None
    if classes == 1:
        border = 0.5 if head.ends_with("Sigmoid") else 0.0
        return (flat > border).astype(np.int64) if flat.ndim == 2 else None
    if flat.ndim != 3 or classes not in (flat.shape[0], flat.shape[2]):
        return None
    axis = 0 if flat.shape[0] == classes else 2
    return np.asarray(flat.argmax(axis), np.int64)
