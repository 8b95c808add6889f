"""Decides whether the model's guesses are offered: only if they are better than chance."""

import threading
from collections import Counter, deque
from collections.abc import Callable

from scorer.service.queue import Query

_LOOKED_AT = 20  # answers
_LEAST = 10
_Noted = tuple[tuple[str, int, int], str, str]  # pixel, guess, answer


class Guesses:
    """The accuracy of recent guesses, whether offered or not.

    trusted(): whether guesses are offered from the start, as for a graph that the user chose and
    whose network has learned something.
    """

    def __init__(self, trusted: Callable[[], bool]) -> None:
        self._trusted = trusted
        self._lock = threading.Lock()
        self._lately: deque[_Noted] = deque(maxlen=_LOOKED_AT)

    def note(self, query: Query, class_name: str | None) -> None:
        """Record the answer to a pixel with a guess."""
        if query.guess and class_name is not None:
            with self._lock:
                self._lately.append((query.pixel, query.guess, class_name))

    def forget(self, pixel: tuple[str, int, int]) -> None:
        """Forget the answer to a pixel, which was retracted."""
        with self._lock:
            left = [one for one in self._lately if one[0] != pixel]
            self._lately = deque(left, maxlen=_LOOKED_AT)

    @property
    def right(self) -> float | None:
        """Share of recent answers that equal the guess; None for too few."""
        with self._lock:
            if len(self._lately) < _LEAST:
                return None
            return sum(guess == answer for _, guess, answer in self._lately) / len(self._lately)

    @property
    def offered(self) -> bool:
        """Whether guesses are better than always guessing the most frequent class."""
        if self._trusted():
            return True
        right = self.right
        with self._lock:
            answers = Counter(answer for _, _, answer in self._lately)
        return right is not None and right > max(answers.values()) / answers.total()
