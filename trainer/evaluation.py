"""Measures a model: intersection over union per class at the size of the ground truth,
calibration.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from scorer.errors import BadDataset, BadImage
from trainer import masks
from trainer.classes import Classes
from trainer.features import Features
from trainer.graph.upsampling import upsample
from trainer.hypercolumns.album import Album
from trainer.network import BayesianNetwork
from trainer.reliability import Reliability, reliability
from trainer.split import Split

_AT_ONCE = 16_000_000  # upsampled scores at a time, 64 MB


@dataclass(frozen=True)
class Evaluation:
    """IoU per class in [0, 1], NaN for a class that neither occurs nor is predicted.

    accuracy: share of correct pixels. reliability: None where confidences are unknown.
    """

    iou: tuple[float, ...]
    accuracy: float
    images: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    reliability: Reliability | None = None

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur."""
        return float(np.nanmean(self.iou))


def evaluate(
    network: BayesianNetwork,
    split: Split,
    classes: Classes,
    size: tuple[int, int],
    on_image: Callable[[int], None] = lambda _: None,
    album: Album | None = None,
) -> Evaluation:
    """Predict every image without dropout; pixels are counted over the whole split, not per image.

    size: (height, width) of the network's grid. album: cached feature maps of a frozen backbone.
    on_image: called with the number of images done. Raises BadDataset where none can be evaluated.
    """
    from torchmetrics.classification import MulticlassConfusionMatrix  # noqa: PLC0415

    counts = MulticlassConfusionMatrix(
        len(classes), ignore_index=masks.IGNORE, sync_on_compute=False
    )
    skipped = []
    sure: Reliability | None = None
    network.eval()
    features = Features(network, size, album)
    predict = partial(_predict, network, features, split, classes)
    names = split.images.names
    for done, found in enumerate(features.each(predict, names), start=1):
        if isinstance(found, BadImage):
            skipped.append((names[done - 1], str(found)))
        else:
            predicted, confidence, truth = found
            counts.update(predicted.long(), truth.long())
            known = truth != masks.IGNORE
            more = reliability(confidence[known], (predicted == truth)[known])
            sure = more if sure is None else sure + more
        on_image(done)
    images = len(split.images) - len(skipped)
    matrix = counts.compute() if images else torch.zeros(1, 1)
    if not matrix.sum():
        reason = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ": no pixel is labelled"
        raise BadDataset(
            f"no image of {split.images.where} could be evaluated{reason}",
            remedy="[val] needs images with masks that hold class indices",
        )
    return replace(summary(matrix, images, skipped), reliability=sure)


def summary(matrix: Tensor, images: int, skipped: list[tuple[str, str]]) -> Evaluation:
    """Compute the metrics from pixel counts by true and predicted class, [C, C], or [C, C + 1] with
    a last column of pixels without a predicted class.
    """
    matrix = matrix.double()
    hits = matrix.diagonal()
    union = matrix.sum(0)[: len(matrix)] + matrix.sum(1) - hits
    accuracy = float(hits.sum() / matrix.sum().clamp(min=1))
    return Evaluation(tuple((hits / union).tolist()), accuracy, images, skipped)


@torch.inference_mode()
def _predict(
    network: BayesianNetwork, features: Features, split: Split, classes: Classes, name: str
) -> tuple[Tensor, Tensor, Tensor] | BadImage:
    """Predicted classes, their probabilities, and true classes of an image; BadImage if
    unusable.
    """
    path = split.mask(name)
    if path is None:
        raise BadDataset("the split has no masks to compare with", remedy="add masks to it")
    try:
        truth = torch.from_numpy(masks.read(path, classes, split.ids))
        found, geometry = features.of(split.images.image(name))
        if truth.shape != geometry.image:
            raise BadImage("mask of another size", f"{tuple(truth.shape)}")
    except BadImage as error:
        return error
    height, width = geometry.content
    content = upsample(network.classifier(found), geometry.grid)[..., :height, :width].float().cpu()
    label, confidence = _largest(content, (truth.shape[0], truth.shape[1]))
    return label.to(torch.uint8), confidence, truth


def _largest(
    scores: Float[Tensor, "1 C h w"], size: tuple[int, int]
) -> tuple[Int64[Tensor, "H W"], Float[Tensor, "H W"]]:
    """The class with the largest upsampled score, and its probability.

    Classes are upsampled in groups, because all scores of a large photograph would fill the memory.
    """
    best = torch.full(size, -torch.inf)
    label = torch.zeros(size, dtype=torch.int64)
    total = torch.full(size, -torch.inf)  # logarithm of the sum of exponentials
    count = max(1, _AT_ONCE // (size[0] * size[1]))
    for start in range(0, scores.shape[1], count):
        few = scores[:, start : start + count]
        enlarged = F.interpolate(few, size, mode="bilinear", align_corners=False)[0]
        value, index = enlarged.max(0)
        better = value > best
        best, label = value.where(better, best), (index + start).where(better, label)
        total = torch.logaddexp(total, enlarged.logsumexp(0))
    return label, (best - total).exp()
