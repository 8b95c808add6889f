"""Judges by cross-validation whether a temperature helps."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scorer.errors import BadLabels
from trainer.calibration.held_out import HeldOut
from trainer.calibration.temperature import fit, nll
from trainer.reliability import Reliability, reliability

FOLDS, FEWEST = 10, 20
_CHANCE = 2.262  # two-sided 5 % quantile of Student's t with FOLDS - 1 degrees of freedom


@dataclass(frozen=True)
class Verdict:
    """Result of the cross-validation.

    temperature: divisor of the class scores; None where no finite one is best, for all photographs
    or for those outside a fold. error: standard error of its logarithm. before, after: reliability
    without and with a temperature, and nll_before, nll_after the mean `nll` in nats; after: each
    photograph has the temperature that was fitted without its fold.
    """

    temperature: float | None
    error: float
    before: Reliability
    after: Reliability
    nll_before: float
    nll_after: float
    images: int
    pixels: int

    @property
    def helps(self) -> bool:
        """Whether the temperature differs significantly from 1 and lowers the cross-validated
        `nll`.
        """
        if self.temperature is None:
            return False
        far = abs(math.log(self.temperature)) > _CHANCE * self.error
        return far and self.nll_after < self.nll_before


def judge(held: HeldOut) -> Verdict:
    """Cross-validate over photographs, not over pixels, because neighbouring pixels are alike.

    Raises BadLabels for fewer than FEWEST photographs, which are too few to judge.
    """
    if held.images < FEWEST:
        raise BadLabels(
            f"there are labelled pixels of {held.images} photographs, expected {FEWEST} or more",
            remedy="answer more audit questions, or add photographs to [val]",
        )
    order = np.random.default_rng(0).permutation(held.images)
    fold = torch.from_numpy(order % FOLDS)[held.image]
    chosen = fit(held.logits, held.classes)
    without = [fit(held.logits[fold != k], held.classes[fold != k]) for k in range(FOLDS)]
    others = [one for one in without if one is not None]
    fitted = chosen is not None and len(others) == FOLDS
    by_fold = torch.tensor(others if fitted else [1.0] * FOLDS, dtype=torch.float64)
    scaled = held.logits / by_fold[fold][:, None]
    return Verdict(
        temperature=chosen if fitted else None,
        error=jackknife(by_fold.log()) if fitted else math.inf,
        before=_reliability(held.logits, held),
        after=_reliability(scaled, held),
        nll_before=float(nll(held.logits, held.classes, 1.0).mean()),
        nll_after=float(nll(scaled, held.classes, 1.0).mean()),
        images=held.images,
        pixels=len(held.classes),
    )


def jackknife(estimates: Float[Tensor, " g"]) -> float:
    """The jackknife standard error of an estimate, from the estimates without each of g groups:
    sqrt((g - 1) / g Σ (estimate - mean)²). Efron & Stein 1981.
    """
    groups = len(estimates)
    return float(((estimates - estimates.mean()).square().sum() * (groups - 1) / groups).sqrt())


def _reliability(logits: Float[Tensor, "N C"], held: HeldOut) -> Reliability:
    confidence, predicted = logits.softmax(1).max(1)
    return reliability(confidence, predicted == held.classes)
