"""Selects answers to retract, by image, annotator, round or time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from scorer.errors import BadInput, BadLabels
from scorer.labels.answer import Answer


@dataclass(frozen=True, kw_only=True)
class Retraction:
    """Conditions that all retracted answers fulfil; None: any value.

    since, until: time of the answer, `until` exclusive. holds: whether a pool has an image; answers
    about other images are retracted. Raises BadInput without any condition.
    """

    images: frozenset[str] = frozenset()
    annotator: str | None = None
    round: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    holds: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        asked = (self.annotator, self.round, self.since, self.until, self.holds)
        if not self.images and all(one is None for one in asked):
            raise BadInput(
                "nothing says which answers are taken back",
                remedy="give --image, --annotator, --round, --since, --until or --not-in-pool",
            )

    def of(self, answers: Iterable[tuple[int, Answer]]) -> list[tuple[int, Answer]]:
        """The numbered answers that fulfil the conditions."""
        return [(number, answer) for number, answer in answers if self._takes(answer)]

    def _takes(self, answer: Answer) -> bool:
        return (
            (not self.images or answer.image in self.images)
            and self.annotator in {None, answer.annotator}
            and self.round in {None, answer.round}
            and (self.since is None or moment(answer.time) >= self.since)
            and (self.until is None or moment(answer.time) < self.until)
            and (self.holds is None or not self.holds(answer.image))
        )


def moment(text: str) -> datetime:
    """Parse a date or time in ISO 8601, UTC unless stated otherwise. Raises BadLabels."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadLabels(
            f"{text!r} is not a time", remedy="write it as 2026-11-30 or 2026-11-30T14:05:00"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
