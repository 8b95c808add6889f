"""Trains a head on the vectors at labelled pixels, in seconds for any size of the pool."""

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
    """Train the head of `network` in place, on its device; returns it in evaluation mode.

    AdamW (Loshchilov & Hutter 2019) with a one-cycle learning rate (Smith & Topin 2018). The same
    pixels and recipe give the same weights. on_step: called with step and loss. Raises Failure if
    the loss is not finite.
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
        # For a single pixel, dropout of channels and of elements are the same.
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
    """Yield vectors float16 [batch, channels] and classes for every step, drawn with replacement;
    pixels of rare classes are drawn more often.
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
