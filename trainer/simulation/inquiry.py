"""What is asked of the annotator in a round, and how uncertain the model was of it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from scorer.errors import BadImage
from scorer.images import load
from scorer.labels import Labels
from scorer.pool import Pool
from trainer.acquisition import aleatoric, bald, balent, posterior
from trainer.model import Card
from trainer.moments import accumulate
from trainer.network import BayesianNetwork
from trainer.pytorch import PyTorch

Asked = Mapping[str, Sequence[tuple[int, int]]]  # (row, col) in the original image, by image


@dataclass(frozen=True)
class Uncertainty:
    """Means over the pixels asked, nats: BALD, entropy of single passes, and the posterior entropy
    of balanced entropy. nonnegative: the share of all pixels of the pool with BalEnt ≥ 0.
    """

    epistemic: float
    aleatoric: float
    posterior: float
    nonnegative: float


@torch.inference_mode()
def uncertainty(
    network: BayesianNetwork,
    card: Card,
    pool: Pool,
    asked: Asked,
    passes: int,
    on_image: Callable[[int], None] = lambda _: None,
) -> Uncertainty:
    """Of the pixels asked, in the model that chose them; unreadable images are left out."""
    runtime = PyTorch(network, card, acquisition="balentacq", passes=passes)
    scoring = runtime.network
    chosen: list[tuple[float, ...]] = []
    nonnegative = pixels = 0

    def maps(logits: Iterable[Tensor]) -> tuple[Tensor, ...]:
        moments = accumulate(logits, passes, aleatoric=True)
        return bald(moments), aleatoric(moments), posterior(moments), balent(moments)

    for done, name in enumerate(pool.names, start=1):
        try:
            photograph = load(pool.path(name), card.size)
        except BadImage:
            continue
        image = torch.from_numpy(photograph.pixels)[None].to(runtime.device)
        found = scoring.tail.raster(scoring.network.features(image), maps)
        *three, value = (one[0].cpu() for one in found)
        height, width = photograph.geometry.content
        nonnegative += int((value[:height, :width] >= 0).sum())
        pixels += height * width
        for row, col in asked.get(name, ()):
            place = photograph.geometry.to_map(row, col)
            chosen.append(tuple(float(one[place]) for one in three))
        on_image(done)
    epistemic, alea, post = np.mean(chosen, axis=0).tolist() if chosen else [math.nan] * 3
    return Uncertainty(epistemic, alea, post, nonnegative / max(1, pixels))


def mean_distance(asked: Asked) -> float:
    """Mean over the images of the mean distance between two pixels asked of it, in its pixels."""
    return _mean(
        float(np.mean([np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in combinations(places, 2)]))
        for places in asked.values()
        if len(places) > 1
    )


def mean_unique(answers: Labels) -> float:
    """Mean over the images of how many different classes were answered."""
    found = ({click.label for click in clicks} - {None} for clicks in answers.clicks.values())
    return _mean(float(len(classes)) for classes in found if classes)


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")
