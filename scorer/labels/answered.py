"""Training and audit labels from answers, for local and remote stores."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable

from scorer.errors import BadLabels
from scorer.labels.answer import ASKED, AUDIT, Answer
from scorer.labels.click import Click, Labels

# number of latest answers with a guess that are considered, and least number
_LATE, _FEWEST = 100, 10


class Answered(ABC):
    """A collection of current answers about some classes."""

    classes: tuple[str, ...]

    @abstractmethod
    def standing(self) -> Iterable[Answer]:
        """The current answer to every pixel, in order of time."""

    @abstractmethod
    def length(self) -> int:
        """Number of rows, which grows with every answer and every undo."""

    @abstractmethod
    def reread_classes(self) -> tuple[str, ...]:
        """Read the class names again, as annotators may have added some."""

    def labels(self, *, audits: bool = False) -> Labels:
        """Labels for training and ranking: an unsure pixel is a click without a class, a skipped
        one is omitted.

        audits: whether audit answers keep their class; otherwise they are clicks without one.
        """
        clicks: dict[str, list[Click]] = defaultdict(list)
        sizes: dict[str, tuple[int, int]] = {}
        # A class that is being added at this moment may be missing.
        index = {name: position for position, name in enumerate(self.classes)}
        for one in self.standing():
            if one.answer != "skip":
                is_learned = audits or one.source != AUDIT
                label = index.get(one.class_name or "") if is_learned else None
                clicks[one.image].append(Click(one.row, one.col, label))
                _keep_size(one, sizes)
        return Labels(dict(clicks), sizes)

    def audit(self) -> Labels:
        """The audit answers: random pixels that measure the model."""
        clicks: dict[str, list[Click]] = defaultdict(list)
        for one in self.standing():
            if one.source == AUDIT and one.class_name in self.classes:
                label = self.classes.index(one.class_name)
                clicks[one.image].append(Click(one.row, one.col, label))
        return Labels(dict(clicks))

    def confirmed(self) -> float | None:
        """Share of the latest first guesses that annotators confirmed; None if there are too
        few.
        """
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
