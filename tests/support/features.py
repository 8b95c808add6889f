"""Feature maps and classifiers that are difficult for the scoring tail, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import oracle
import torch
from torch import Tensor, nn

from trainer.graph.dropout import masks, widen
from trainer.graph.moments import Moments, accumulate
from trainer.graph.raster import Whole

CHANNELS, PASSES, RATE = 256, 20, 0.2
FEATURE_SIZE, SIZE = (12, 16), (48, 64)


@dataclass(frozen=True)
class Case:
    """Features before the dropout, and the classifier; size: of the image grid."""

    features: Tensor
    weight: Tensor
    bias: Tensor
    keep: Tensor
    size: tuple[int, int] = SIZE

    def widened(self) -> nn.Conv2d:
        """All passes as one convolution, built by the code under test."""
        classifier = nn.Conv2d(CHANNELS, len(self.bias), 1)
        classifier.weight.data, classifier.bias.data = self.weight, self.bias
        return widen(classifier, self.keep, RATE)

    def probabilities(self) -> "np.typing.NDArray[np.float64]":
        """The oracle's probabilities of every pass, float64 [m, C, H, W]."""
        values = (v.double().numpy() for v in (self.features, self.weight, self.bias, self.keep))
        return oracle.probabilities(*values, RATE, *self.size)


def _random(scale: float, classes: int, keep: Tensor) -> Case:
    weight, bias = torch.randn(classes, CHANNELS, 1, 1) / 16, torch.randn(classes) * 0.1
    return Case(torch.randn(CHANNELS, *FEATURE_SIZE).relu() * scale, weight, bias, keep)


def _all_zero(classes: int, keep: Tensor) -> Case:
    case = _random(1.0, classes, keep)
    return Case(torch.zeros_like(case.features), case.weight, torch.zeros(classes), keep)


def _tied_leaders(classes: int, keep: Tensor) -> Case:
    case = _random(1.0, classes, keep)
    case.weight[1], case.bias[1] = case.weight[0], case.bias[0]
    case.bias[:2] += 8
    return case


def _flipping(classes: int, keep: Tensor) -> Case:
    """Single channels of up to 200 nats decide between two classes, differently at every point."""
    features = torch.zeros(CHANNELS, *FEATURE_SIZE)
    features[:4] = torch.rand(4, *FEATURE_SIZE) * 200
    weight = torch.zeros(classes, CHANNELS, 1, 1)
    weight[0, 0], weight[1, 1], weight[0, 2], weight[1, 3] = 1, 1, 0.5, 0.5
    return Case(features, weight, torch.zeros(classes), keep)


def _saturated(classes: int, keep: Tensor) -> Case:
    """One class leads by 12 nats; the contrast ranges from none to a hundredfold."""
    case = _random(1.0, classes, keep)
    case.bias[0] += 12
    points = FEATURE_SIZE[0] * FEATURE_SIZE[1]
    contrast = torch.logspace(-3, 2, points).view(1, *FEATURE_SIZE)
    return Case(case.features * contrast, case.weight, case.bias, keep)


def _certain(classes: int, keep: Tensor) -> Case:
    case = _random(0.01, classes, keep)
    case.bias[0] += 120
    return case


def _spike(classes: int, keep: Tensor) -> Case:
    """One channel, worth up to 40 nats, is dropped in some passes: near-certain outliers."""
    case = _random(0.3, classes, keep)
    case.features[0] = torch.rand(FEATURE_SIZE) * 40
    case.weight[:, 0] = 0
    case.weight[0, 0] = -1
    case.bias[0] += 25
    return case


MAKERS: dict[str, Callable[[int, Tensor], Case]] = {
    **{
        f"contrast {s:g}": lambda c, k, s=s: _random(s, c, k)
        for s in (1e-3, 0.01, 0.1, 1, 3, 10, 30)
    },
    "all zero": _all_zero,
    "tied leaders": _tied_leaders,
    "flipping": _flipping,
    "saturated": _saturated,
    "certain": _certain,
    "spike": _spike,
}


CASES = [(name, classes) for classes in (2, 11, 150) for name in MAKERS]


def make(name: str, classes: int) -> Case:
    """The features of a case; the same in every run."""
    torch.manual_seed(classes)
    return MAKERS[name](classes, masks(PASSES, CHANNELS, RATE, seed=0))


@lru_cache(maxsize=1)  # tests of one case are consecutive
@torch.inference_mode()
def both(name: str, classes: int) -> tuple[Moments, "np.typing.NDArray[np.float64]"]:
    """The moments of a case by the code under test, and the oracle's probabilities [m, C, P]."""
    case = make(name, classes)
    moments = []

    def keep(logits):  # type: ignore[no-untyped-def]
        moments.append(accumulate(logits, PASSES, aleatoric=True))
        return ()

    Whole(case.widened(), PASSES, case.size)(case.features[None], keep)
    passes = case.probabilities()
    return moments[0], passes.reshape(*passes.shape[:2], -1)
