"""Whether the model's guesses are offered: not before they are better than chance."""

import threading
from collections import Counter, deque
from collections.abc import Callable

from scorer.service.queue import Query

_LOOKED_AT = 20  # answers
_LEAST = 10


class Guesses:
    """What the guesses were worth lately, whether they were offered or not.

    trusted(): whether they are offered before they are worth something, as those of a graph that
    somebody has chosen, and that has learned something.
    """

    def __init__(self, trusted: Callable[[], bool]) -> None:
        self._trusted = trusted
        self._lock = threading.Lock()
        self._lately: deque[tuple[str, str]] = deque(maxlen=_LOOKED_AT)  # guess, answer

    def note(self, query: Query, class_name: str | None) -> None:
        """An answer to a pixel that a model had a guess for."""
        if query.guess and class_name is not None:
            with self._lock:
                self._lately.append((query.guess, class_name))

    @property
    def right(self) -> float | None:
        """The share of the last answers that the guess said before; None: too few to tell."""
        with self._lock:
            if len(self._lately) < _LEAST:
                return None
            return sum(guess == answer for guess, answer in self._lately) / len(self._lately)

    @property
    def offered(self) -> bool:
        """Better than always saying the class that is answered most often."""
        if self._trusted():
            return True
        right = self.right
        with self._lock:
            answers = Counter(answer for _, answer in self._lately)
        return right is not None and right > max(answers.values()) / answers.total()
