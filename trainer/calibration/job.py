"""A model is calibrated: held-out pixels, the verdict, the temperature in its weights."""

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
    """temperature: of the model in all, one of earlier calibrations included, as it is now.
    written: the file with it, None where it would not help. skipped: photographs that could not
    be used, and why.
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
    """Fit a temperature on pixels that the model has not learned from, and write the model with it
    to `out` if it helps. labels: the label store with audit answers; None: the validation split.
    """
    check_writable(out)
    network.to(device())
    found = held_out.source(dataset, labels, card)
    held = held_out.gather(network, card.size, found, on_image)
    with threads(1):  # its matrices are small: a second thread would only wait for the first
        verdict = judge(held)
    if not verdict.helps or verdict.temperature is None:
        return Calibrated(verdict, card.temperature, None, held.skipped)
    total = card.temperature * verdict.temperature
    write(network, card, total, out)
    return Calibrated(verdict, total, out, held.skipped)


def write(network: BayesianNetwork, card: Card, total: float, out: Path) -> None:
    """The model with this temperature, in place of the one that it has."""
    model.save(out, network, temperature.bake(network, card, total))
