"""The training loop of a whole network on sparse labels, and its continuation after an
interruption.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scorer.errors import Failure
from trainer import state
from trainer.batches import Batches
from trainer.bayesian import ReadyTrunk
from trainer.loss import sparse_cross_entropy
from trainer.network import BayesianNetwork
from trainer.networks.pixelhead import PixelHead
from trainer.recipe import Recipe
from trainer.sample import Masked, Sample


@dataclass(frozen=True)
class Progress:
    """Progress of a training: step `step` of `steps` in an epoch; loss: mean over the epoch so
    far.
    """

    epoch: int
    step: int
    steps: int
    images: int
    loss: float


OnProgress = Callable[[Progress], None]


def fit(  # noqa: PLR0913  # three of them are who listens
    network: BayesianNetwork,
    samples: Sequence[Sample | Masked],
    recipe: Recipe,
    *,
    size: tuple[int, int],
    resume: Path | None = None,
    identity: str = "",
    on_start: Callable[[int], None] = lambda _: None,
    on_step: OnProgress = lambda _: None,
    on_epoch: OnProgress = lambda _: None,
) -> BayesianNetwork:
    """Train `network` in place, and return it in evaluation mode on the CPU.

    resume: file of the state after every epoch; a run with the same recipe and `identity` (of the
    data) continues from it, and the caller removes it after saving the model. on_start: called with
    the number of finished epochs. On a CPU an interrupted run gives the same weights as an
    uninterrupted one. Raises Failure if the loss is not finite.
    """
    import lightning_fabric as lightning  # noqa: PLC0415

    with _quiet():
        fabric = lightning.Fabric(
            accelerator="auto",
            devices=recipe.devices,
            strategy="auto" if recipe.devices == 1 else _strategy(network),
            precision=precision(recipe.precision),
        )
        fabric.launch()
    if recipe.devices > 1 and fabric.device.type == "cuda":
        network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
    # On a GPU deterministic kernels double the time of a step, and some operators have none.
    torch.use_deterministic_algorithms(fabric.device.type == "cpu", warn_only=True)
    optimiser = _optimiser(network, recipe, fused=fabric.device.type == "cuda")
    network.train().to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    identity = f"{recipe} {size} {identity}"
    done = 0 if resume is None else state.restore(resume, network, optimiser, identity)
    first = fabric.is_global_zero
    if first:
        on_start(done)
    wrapped, wrapped_optimiser = fabric.setup(network, optimiser)
    for epoch in range(done, recipe.epochs):
        batches = Batches(samples, recipe, epoch, fabric.global_rank)
        report = Progress(epoch, 0, len(batches), 0, 0.0)
        torch.manual_seed(recipe.seed * 1_000_003 + epoch)  # seed of the dropout in this epoch
        for report in _epoch(fabric, wrapped, wrapped_optimiser, batches, recipe, epoch, size):
            if first:
                on_step(report)
        if first and resume is not None:
            state.save(resume, network, optimiser, identity, epoch + 1)
        if first:
            on_epoch(report)
        fabric.barrier()
    _end(fabric)
    return network.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]


def _strategy(network: BayesianNetwork) -> str:
    """Fabric's strategy: a user's network may have unused parameters, such as auxiliary heads."""
    foreign = isinstance(network.trunk, ReadyTrunk | PixelHead)
    return "ddp_find_unused_parameters_true" if foreign else "ddp"


def _end(fabric: Any) -> None:
    """End the processes of all devices but the first, which saves and evaluates."""
    if fabric.world_size > 1:
        torch.distributed.destroy_process_group()
        if not fabric.is_global_zero:
            raise SystemExit(0)


def precision(choice: str) -> Any:
    """Fabric's name of a precision; "auto": mixed half precision if the hardware supports it."""
    if choice != "auto":
        return choice
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    # Without the instructions, bfloat16 on a CPU is emulated and slower than float32.
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"


def _epoch(
    fabric: Any,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    recipe: Recipe,
    epoch: int,
    size: tuple[int, int],
) -> Iterator[Progress]:
    network.train()
    losses: list[float] = []
    images = 0
    for step, (pixels, points, labels) in enumerate(batches, start=1):
        _schedule(
            optimiser, recipe, (epoch * len(batches) + step - 1) / (recipe.epochs * len(batches))
        )
        batch = fabric.to_device((pixels, points, labels))
        loss = sparse_cross_entropy(network(batch[0]).float(), batch[1], batch[2], size)
        fabric.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(_finite(float(loss.detach()), epoch))
        images += len(pixels)
        yield Progress(epoch, step, len(batches), images, sum(losses) / len(losses))


def _finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise Failure(
            f"the loss became {loss} in epoch {epoch + 1}",
            remedy="train with a smaller --lr, or with --precision 32-true",
        )
    return loss


def _groups(network: BayesianNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups: the pre-trained backbone learns at a tenth of the rate of the new
    layers.
    """
    backbone = list(network.trunk.backbone.parameters())  # type: ignore[union-attr]
    inside = {id(parameter) for parameter in backbone}
    others = [parameter for parameter in network.parameters() if id(parameter) not in inside]
    rates = (recipe.lr * recipe.backbone_lr_factor, recipe.lr)
    return [
        {"params": parameters, "lr": rate, "initial_lr": rate}
        for parameters, rate in zip((backbone, others), rates, strict=True)
    ]


def _optimiser(network: BayesianNetwork, recipe: Recipe, *, fused: bool) -> torch.optim.Optimizer:
    groups = _groups(network, recipe)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused
        )
    return torch.optim.Adam(groups, weight_decay=recipe.weight_decay, fused=fused)


def _schedule(optimiser: torch.optim.Optimizer, recipe: Recipe, done: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * recipe.rate(done)


@contextmanager
def _quiet() -> Iterator[None]:
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Fabric's advice about devices that were chosen on purpose
        yield
