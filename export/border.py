"""The decision threshold of a network that separates two classes by one value per pixel."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from export.classifier import Classifier
from export.head import Head
from export.nodes import called
from export.probe import Array, Probe
from scorer.errors import CannotGraft

_FAR = 30.0  # nats: in float32 the probability is 0 or 1 beyond
_HALVINGS = 40

Answer = Callable[[float], float]


@dataclass(frozen=True)
class Border:
    """The threshold of a network whose output has one value per pixel.

    score: score of the second class less that of the first at which the answer changes, in nats.
    rising: whether the output values rise with this score. value: the output value at the
    threshold; larger values mean the second class, or the first if not `rising`. decided: whether
    the output takes only two values.
    """

    score: float
    rising: bool
    value: float
    decided: bool

    def applied(self, head: Head) -> Head:
        """The head with scores that are above 0 where the network answers with the second class;
        for a network of one score, that is the class of the larger output values.
        """
        if head.classifier.classes == 2:
            return head.weighed(np.ones(2, np.float32), np.array([0, -self.score], np.float32))
        sign = np.float32(1 if self.rising else -1)
        return head.weighed(np.array([sign]), np.array([-sign * self.score], np.float32))

    def undone(self, scores: Float[Tensor, "1 C h w"]) -> Float[Tensor, "1 C h w"]:
        """The network's own scores from the scores of the head that `applied` returns."""
        if scores.shape[1] == 1:
            return (1 if self.rising else -1) * scores + self.score
        return scores + torch.tensor([0, self.score])[:, None, None]

    def labels(self, output: Array, classes: int) -> npt.NDArray[np.int64]:
        """The class map of an output: 1 for the second class. classes: number of the network's
        scores.
        """
        above = output > self.value
        return np.asarray(above if self.rising or classes == 1 else ~above, np.int64)


def find(head: Head, probe: Probe) -> Border | None:
    """Find the threshold by running the nodes behind the classifier on constant scores.

    Returns None where the network does not separate two classes by one value per pixel. Raises
    CannotGraft where the output is the same for all scores, or changes in several steps.
    """
    found = head.classifier
    shown = probe.seen[head.output]
    if found.classes > 2 or shown.size != _pixels(shown):
        return None
    answer = _answer(head, probe)
    low, middle, high = (answer(score) for score in (-_FAR, 0.0, _FAR))
    scale = 1.0
    if head.decides is not None:
        largest = float(np.abs(probe.seen[head.before_ending].astype(np.float64)).max())
        scale = max(_FAR, 4 * largest)
        low, high = answer(-scale), answer(scale)
    if low == high:
        raise CannotGraft(
            f"what the network does behind its classifier {found.logits!r} gives {low:g} whatever "
            "the score: " + ", ".join(called(node) for node in head.behind),
            remedy="expected a threshold that scores can reach",
        )
    if head.decides is None and not head.ends_with("ArgMax"):
        return Border(score=0.0, rising=high > low, value=middle, decided=False)
    return _decided(answer, low, high, scale)


def _decided(answer: Answer, low: float, high: float, far: float) -> Border:
    """The threshold between the scores -far and far, by bisection."""
    below, above = -far, far
    for _ in range(_HALVINGS):
        score = (below + above) / 2
        value = answer(score)
        if value not in (low, high):
            raise CannotGraft(
                f"the network rounds its score to several steps: {low:g}, {value:g}, {high:g}",
                remedy="export the network without rounding",
            )
        below, above = (score, above) if value == low else (below, score)
    # In float32 the measured threshold may differ by rounding from the intended one.
    score = round(above, 5)
    return Border(
        score=0.0 if abs(score) < 1e-4 else score,
        rising=high > low,
        value=(low + high) / 2,
        decided=True,
    )


def _pixels(values: Array) -> int:
    """Number of pixels of a map with one value per pixel; 0 for arrays with other axes."""
    sides = [side for side in values.shape if side > 1]
    return values.size if len(sides) == 2 else 0


def _answer(head: Head, probe: Probe) -> Answer:
    """A function from a score to the network's output where every pixel has this score."""
    found = head.classifier
    run = probe.behind(found.logits, head.output)
    shape = probe.seen[found.logits].shape
    axis = _axis(found, shape)
    # The classifier includes head.scale and shift already, and the network applies them again.
    scale, shift = head.scale.astype(np.float64), head.shift.astype(np.float64)

    def answer(score: float) -> float:
        scores = np.zeros(found.classes)
        scores[-1] = score
        own = ((scores - shift) / scale).reshape(
            [-1 if i == axis else 1 for i in range(len(shape))]
        )
        return float(np.median(run(np.broadcast_to(own, shape)).astype(np.float64)))

    return answer


def _axis(found: Classifier, shape: tuple[int, ...]) -> int:
    return len(shape) - 1 if found.order == "last" else 1
