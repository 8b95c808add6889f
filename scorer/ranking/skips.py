"""Counts skipped images by reason."""

from collections import Counter
from dataclasses import dataclass, field

from scorer.selection.result import Skipped

_NAMED_PER_REASON = 3


@dataclass(kw_only=True)
class Skips:
    """reasons: number of images per reason; examples: some images per reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Skipped]] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        return self.reasons.total()

    def skip(self, one: Skipped) -> None:
        self.reasons[one.reason] += 1
        named = self.examples.setdefault(one.reason, [])
        if len(named) < _NAMED_PER_REASON:
            named.append(one)

    def tally(self) -> str:
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
