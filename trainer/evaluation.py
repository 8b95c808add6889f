"""How good a model is: intersection over union per class, at the size of the ground truth, and
whether it is as often right as it says.
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

_AT_ONCE = 16_000_000  # enlarged scores, 64 MB of them


@dataclass(frozen=True)
class Evaluation:
    """IoU per class in [0, 1], NaN for a class that is neither present nor predicted. reliability:
    None where nothing says how sure the model was.
    """

    iou: tuple[float, ...]
    accuracy: float
    images: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    reliability: Reliability | None = None

    @property
    def miou(self) -> float:
        """Mean over the classes that occur."""
        return float(np.nanmean(self.iou))


def evaluate(
    network: BayesianNetwork,
    split: Split,
    classes: Classes,
    size: tuple[int, int],
    on_image: Callable[[int], None] = lambda _: None,
    album: Album | None = None,
) -> Evaluation:
    """Predict every image without dropout; count pixels over the whole split, not per image.

    album: where what a frozen backbone sees may be kept from before.
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
    """Of pixels by true and predicted class [C, C]; [C, C + 1] with those that have no class."""
    matrix = matrix.double()
    hits = matrix.diagonal()
    union = matrix.sum(0)[: len(matrix)] + matrix.sum(1) - hits
    accuracy = float(hits.sum() / matrix.sum().clamp(min=1))
    return Evaluation(tuple((hits / union).tolist()), accuracy, images, skipped)


@torch.inference_mode()
def _predict(
    network: BayesianNetwork, features: Features, split: Split, classes: Classes, name: str
) -> tuple[Tensor, Tensor, Tensor] | BadImage:
    """Classes predicted, their probabilities, and classes true; or why there are none."""
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
    """The class with the largest enlarged score, and its probability; a few classes at a time, or
    those of a large photograph would fill the memory.
    """
    best = torch.full(size, -torch.inf)
    label = torch.zeros(size, dtype=torch.int64)
    total = torch.full(size, -torch.inf)  # the logarithm of the sum of all exponentials
    count = max(1, _AT_ONCE // (size[0] * size[1]))
    for start in range(0, scores.shape[1], count):
        few = scores[:, start : start + count]
        enlarged = F.interpolate(few, size, mode="bilinear", align_corners=False)[0]
        value, index = enlarged.max(0)
        better = value > best
        best, label = value.where(better, best), (index + start).where(better, label)
        total = torch.logaddexp(total, enlarged.logsumexp(0))
    return label, (best - total).exp()
