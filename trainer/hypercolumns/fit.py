"""Training of a head on the vectors at labelled pixels: never a map, seconds whatever the pool."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scorer.errors import Failure
from trainer.graph.dropout import dropped
from trainer.hypercolumns.pixels import Pixels
from trainer.network import BayesianNetwork
from trainer.networks.pixelhead import PixelHead
from trainer.recipe import HeadRecipe


def fit(
    network: BayesianNetwork,
    pixels: Pixels,
    recipe: HeadRecipe,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
) -> BayesianNetwork:
    """Train the head of `network` in place, where it is; it comes back in evaluation mode.

    AdamW (Loshchilov & Hutter 2019) with a rate that rises and falls once (Smith & Topin 2018).
    The same pixels and recipe give the same weights. A loss that is no number raises Failure.
    """
    trunk = network.trunk
    assert isinstance(trunk, PixelHead)
    trunk.standardise(pixels.mean, pixels.deviation)
    torch.manual_seed(recipe.seed)
    network.train()
    classifier = network.classifier
    learning = [*trunk.head_parameters(), *classifier.parameters()]
    optimiser = torch.optim.AdamW(
        learning, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.lr, total_steps=recipe.steps, pct_start=recipe.rise
    )
    device = network.image_mean.device
    for step, (vectors, labels) in enumerate(_batches(pixels, recipe), start=1):
        # Of a single pixel both kinds of dropout are the same.
        features = dropped(trunk.at_pixels(vectors.to(device).float()), network.dropout.rate)
        logits = F.linear(features, classifier.weight.flatten(1), classifier.bias)
        loss = F.cross_entropy(logits, labels.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        on_step(step, _finite(float(loss.detach())))
    return network.eval()


def _batches(pixels: Pixels, recipe: HeadRecipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Vectors float16 [batch, channels] and classes, drawn anew for every step; a pixel of a rare
    class more often than others.
    """
    rng = np.random.default_rng(recipe.seed)
    counts = np.bincount(pixels.classes).astype(np.float64)
    heights = np.cumsum(counts[pixels.classes] ** -recipe.balance)
    for _ in range(recipe.steps):
        taken = np.searchsorted(heights, rng.random(recipe.batch) * heights[-1], side="right")
        yield torch.from_numpy(pixels.vectors[taken]), torch.from_numpy(pixels.classes[taken])


def _finite(loss: float) -> float:
    if not np.isfinite(loss):
        raise Failure(f"the loss became {loss}", remedy="train with a smaller --lr")
    return loss
