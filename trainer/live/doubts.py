"""Which answers a model contradicts that was fitted without them."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from zlib import crc32

from scorer.labels import Click, Labels
from scorer.labels.learned import MOST_DOUBTS, Doubt
from trainer.live.learner import Learner, can_learn

Pixel = tuple[str, int, int]  # image, row, col

_SUSPECTED, _DOUBTED = 0.5, 0.9  # probability of another class
_MOST = 0.2  # of the labels, that are left out at a time


class Doubts:
    """Suspects are what a model contradicts before it has learned it, or even after; one more fit,
    without the most suspicious of them, decides.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self._suspects: dict[Pixel, float] = {}  # and the probability of another class
        self._learned: set[Pixel] = set()

    def suspect(self, labels: Labels) -> None:
        """Judge the labels that the network of now has not learned from."""
        if self._learned:
            self._judge(without(labels, self._learned))

    def learned(self, labels: Labels) -> None:
        """The network of now has learned from these."""
        self._learned = pixels(labels)

    def decide(self, labels: Labels) -> list[Doubt]:
        """Fit without the suspects, which are judged by that model alone; the surest come first. It
        clears those that it does not contradict.

        The learner's network is that model afterwards.
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
        """The most suspicious first; equals mixed over the images, the same in every run."""
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
    """Those that have a class."""
    return {
        (image, one.row, one.col)
        for image, clicks in labels.clicks.items()
        for one in clicks
        if one.label is not None
    }


def without(labels: Labels, left_out: AbstractSet[Pixel]) -> Labels:
    """The others."""
    kept: dict[str, list[Click]] = {}
    for image, clicks in labels.clicks.items():
        rest = [one for one in clicks if (image, one.row, one.col) not in left_out]
        if rest:
            kept[image] = rest
    return replace(labels, clicks=kept)
