"""Resolves contradictory answers to a pixel by a rule, or rejects them."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from scorer.errors import BadLabels

REFUSE, NEWEST, MAJORITY = RULES = ("refuse", "newest", "majority")
_SHOWN = 5
_REMEDY = "keep one answer of each pixel, or choose a rule: --on-conflict newest, or majority"
_UNDECIDED = {
    "newest": "the file does not say when they were given; choose --on-conflict majority, or "
    "correct them",
    "majority": "as many say one thing as the other; choose --on-conflict newest, or correct them",
}


class Said(Protocol):
    """An answer to a pixel; answered: its content, with None as first element if unanswered."""

    @property
    def pixel(self) -> tuple[str, int, int]: ...

    @property
    def answered(self) -> tuple[Hashable, Hashable]: ...

    @property
    def word(self) -> str: ...


S = TypeVar("S", bound=Said)


@dataclass(frozen=True)
class Settled(Generic[S]):
    """One answer per pixel, in the order of first occurrence; disputed: a line per contradictory
    pixel.
    """

    kept: list[S]
    disputed: list[str]


def settle(said: Iterable[S], rule: str = REFUSE, *, is_ordered: bool = True) -> Settled[S]:
    """Choose one answer per pixel; any answer precedes none.

    rule: refuse decides nothing; newest decides only if later answers are newer (is_ordered),
    majority only if one answer is more frequent than any other. Raises BadLabels for undecided
    pixels.
    """
    by_pixel: dict[tuple[str, int, int], list[S]] = defaultdict(list)
    for one in said:
        by_pixel[one.pixel].append(one)
    kept: list[S] = []
    disputed: list[str] = []
    open_: list[str] = []
    for of_pixel in by_pixel.values():
        given = [one for one in of_pixel if one.answered[0] is not None]
        is_disputed = len({one.answered for one in given}) > 1
        chosen = _chosen(given, rule, is_ordered=is_ordered) if is_disputed else None
        kept.append(chosen or (given or of_pixel)[0])
        if is_disputed:
            (disputed if chosen else open_).append(_line(given))
    if open_:
        why = "" if rule == REFUSE else f", which {rule} does not decide"
        raise BadLabels(
            f"{len(open_)} pixels have different answers{why}: {listed(open_)}",
            remedy=_REMEDY if rule == REFUSE else _UNDECIDED[rule],
        )
    return Settled(kept, disputed)


def listed(lines: Sequence[str]) -> str:
    """The first lines, and the number of further ones."""
    more = len(lines) - _SHOWN
    return "; ".join(lines[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _chosen(given: Sequence[S], rule: str, *, is_ordered: bool) -> S | None:
    if rule == NEWEST and is_ordered:
        return given[-1]
    if rule == MAJORITY:
        (first, most), (_, next_most) = Counter(one.answered for one in given).most_common(2)
        if most > next_most:
            return next(one for one in given if one.answered == first)
    return None


def _line(given: Sequence[S]) -> str:
    image, row, col = given[0].pixel
    words = Counter(one.word for one in given)
    counts = ", ".join(f"{word} ({n}x)" if n > 1 else word for word, n in words.items())
    return f"{image} row {row}, col {col} is {counts}"
