"""Finds answers that a model trained without them contradicts."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from zlib import crc32

from scorer.labels import Click, Labels
from scorer.labels.learned import MOST_DOUBTS, Doubt
from trainer.live.learner import Learner, can_learn

Pixel = tuple[str, int, int]  # image, row, col

_SUSPECTED, _DOUBTED = 0.5, 0.9  # least probability of another class
_MOST = 0.2  # largest share of the labels that is left out


class Doubts:
    """Collects suspicious answers, and confirms them with a model that is trained without them.

    Suspects are answers that the current model contradicts, before or after it is trained on them.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self._suspects: dict[Pixel, float] = {}  # with the probability of another class
        self._learned: set[Pixel] = set()

    def suspect(self, labels: Labels) -> None:
        """Collect suspects among the labels that the current network was not trained on."""
        if self._learned:
            self._judge(without(labels, self._learned))

    def learned(self, labels: Labels) -> None:
        """Record that the current network was trained on these labels."""
        self._learned = pixels(labels)

    def decide(self, labels: Labels) -> list[Doubt]:
        """Train without the most suspicious answers, and return those that the new model
        contradicts, the most probable errors first. Suspects that it does not contradict are
        cleared.

        Afterwards the learner holds this model.
        """
        there = pixels(labels)
        self._judge(labels)
        order = sorted(there & self._suspects.keys(), key=self._rank)
        left_out = set(order[: int(_MOST * len(there))])
        rest = without(labels, left_out)
        if not left_out or not can_learn(rest, 1):
            return []
        self.learner.fit(rest)
        self._learned = there - left_out
        found = self._judged(without(labels, self._learned), _SUSPECTED)
        waiting = {one: self._suspects[one] for one in order[len(left_out) :]}
        self._suspects = waiting | {one.pixel: one.probability for one in found}
        doubts = [one for one in found if one.probability >= _DOUBTED]
        return sorted(doubts, key=lambda one: -one.probability)[:MOST_DOUBTS]

    def _rank(self, one: Pixel) -> tuple[float, int]:
        """Sorting key: most suspicious first; ties in a pseudo-random order that is equal in every
        run.
        """
        return -self._suspects[one], crc32(repr(one).encode())

    def _judge(self, labels: Labels) -> None:
        self._suspects |= {one.pixel: one.probability for one in self._judged(labels, _SUSPECTED)}

    def _judged(self, labels: Labels, least: float) -> list[Doubt]:
        names = self.learner.dataset.classes.names
        return [
            Doubt(
                image=image, row=click.row, col=click.col, given=names[click.label],
                predicted=names[best], probability=round(float(share[best]), 4),
            )
            for image, clicks, shares in self.learner.probabilities(labels)
            for click, share in zip(clicks, shares, strict=True)
            for best in (int(share.argmax()),)
            if click.label is not None and best != click.label and share[best] >= least
        ]  # fmt: skip


def pixels(labels: Labels) -> set[Pixel]:
    """The pixels of all labels with a class."""
    return {
        (image, one.row, one.col)
        for image, clicks in labels.clicks.items()
        for one in clicks
        if one.label is not None
    }


def without(labels: Labels, left_out: AbstractSet[Pixel]) -> Labels:
    """The labels of all other pixels."""
    kept: dict[str, list[Click]] = {}
    for image, clicks in labels.clicks.items():
        rest = [one for one in clicks if (image, one.row, one.col) not in left_out]
        if rest:
            kept[image] = rest
    return replace(labels, clicks=kept)
