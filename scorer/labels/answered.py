"""What answers teach and measure, wherever they are kept."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable

from scorer.errors import BadLabels
from scorer.labels.answer import ASKED, AUDIT, Answer
from scorer.labels.click import Click, Labels

_LATE, _FEWEST = 100, 10  # answers to questions with a guess


class Answered(ABC):
    """Answers as they stand, of some classes."""

    classes: tuple[str, ...]

    @abstractmethod
    def standing(self) -> Iterable[Answer]:
        """The answer to every pixel as it stands, in the order in which they were given."""

    @abstractmethod
    def length(self) -> int:
        """How many rows there are: it grows with every answer, and with every undo."""

    @abstractmethod
    def reread_classes(self) -> tuple[str, ...]:
        """The classes as they are now: annotators may have added some."""

    def labels(self, *, audits: bool = False) -> Labels:
        """For training and ranking: unsure is a click without a label, a skipped pixel is none.

        An answer that measures the model is one without a label, too, unless `audits` are learned.
        """
        clicks: dict[str, list[Click]] = defaultdict(list)
        sizes: dict[str, tuple[int, int]] = {}
        # A class that was added this very moment is not among them yet.
        index = {name: position for position, name in enumerate(self.classes)}
        for one in self.standing():
            if one.answer != "skip":
                is_learned = audits or one.source != AUDIT
                label = index.get(one.class_name or "") if is_learned else None
                clicks[one.image].append(Click(one.row, one.col, label))
                _keep_size(one, sizes)
        return Labels(dict(clicks), sizes)

    def audit(self) -> Labels:
        """Those of random pixels that were asked to measure the model."""
        clicks: dict[str, list[Click]] = defaultdict(list)
        for one in self.standing():
            if one.source == AUDIT and one.class_name in self.classes:
                label = self.classes.index(one.class_name)
                clicks[one.image].append(Click(one.row, one.col, label))
        return Labels(dict(clicks))

    def confirmed(self) -> float | None:
        """Of the last first guesses, the share that annotators confirmed; None of too few."""
        guessed = [
            one.guess == one.class_name
            for one in self.standing()
            if one.guess and one.class_name is not None and one.source == ASKED
        ][-_LATE:]
        return sum(guessed) / len(guessed) if len(guessed) >= _FEWEST else None


def _keep_size(answer: Answer, sizes: dict[str, tuple[int, int]]) -> None:
    size = answer.height, answer.width
    if sizes.setdefault(answer.image, size) != size:
        raise BadLabels(
            f"{answer.image} has answers at {_words(sizes[answer.image])} and at {_words(size)}",
            remedy=f"take the wrong ones back with: scorer labels retract --image {answer.image}",
        )


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} (height x width)"
