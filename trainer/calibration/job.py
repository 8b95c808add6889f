"""Calibrates a model file: held-out pixels, verdict, and the temperature in the weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scorer.files import check_writable
from trainer import model
from trainer.calibration import held_out, temperature
from trainer.calibration.verdict import Verdict, judge
from trainer.dataset import Dataset
from trainer.model import Card
from trainer.network import BayesianNetwork
from trainer.pytorch import device
from trainer.threads import threads


@dataclass(frozen=True)
class Calibrated:
    """Result of a calibration.

    temperature: total of the model, including earlier calibrations. written: file of the calibrated
    model; None if the temperature does not help. skipped: unusable photographs, with the reasons.
    """

    verdict: Verdict
    temperature: float
    written: Path | None
    skipped: list[tuple[str, str]]


def calibrate(
    network: BayesianNetwork,
    card: Card,
    dataset: Dataset,
    out: Path,
    labels: Path | None,
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> Calibrated:
    """Fit a temperature on held-out pixels, and write the model with it to `out` if it helps.

    labels: the label store with audit answers; None: the validation split. Raises BadLabels,
    BadDataset, CannotWrite.
    """
    check_writable(out)
    network.to(device())
    found = held_out.source(dataset, labels, card)
    held = held_out.gather(network, card.size, found, on_image)
    with threads(1):  # the matrices are small: further threads would only wait
        verdict = judge(held)
    if not verdict.helps or verdict.temperature is None:
        return Calibrated(verdict, card.temperature, None, held.skipped)
    total = card.temperature * verdict.temperature
    write(network, card, total, out)
    return Calibrated(verdict, total, out, held.skipped)


def write(network: BayesianNetwork, card: Card, total: float, out: Path) -> None:
    """Write the model with the total temperature `total` in place of its own."""
    model.save(out, network, temperature.bake(network, card, total))
