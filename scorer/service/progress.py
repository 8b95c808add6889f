"""How a live session gets on: its models so far, what the last labels brought, when to stop."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scorer.files import Watched
from scorer.labels import learned
from scorer.labels.learned import FEWEST, Learned

_STEP = 100  # labels, over which it is said what they brought
_SETTLED = 200  # labels, over which nothing has moved
_MODELS, _NARROW = 5, 0.15  # the fewest that can say so, with an interval not wider than this
_POINTS = 400  # of a curve


@dataclass(frozen=True, kw_only=True)
class Trend:
    """What the last `labels` brought: differences of the accuracy and of the mean intersection over
    union of the audits. settled: over so many labels, the accuracy of the newest lies in the
    interval of every model, and theirs in its own, which is narrow; or None.
    """

    labels: int
    accuracy: float
    miou: float
    settled: int | None


class Progress:
    """The models of live.jsonl, which is read again when it has changed; for any thread."""

    def __init__(self, path: Path) -> None:
        self._file = Watched(path, learned.read)

    @property
    def models(self) -> list[Learned]:
        """All models so far, oldest first."""
        return self._file.value

    @property
    def newest(self) -> Learned | None:
        models = self.models
        return models[-1] if models else None

    def state(self) -> dict[str, Any] | None:
        """The newest model with its trend."""
        found = self.newest
        if found is None:
            return None
        change = trend(self.models)
        return asdict(found) | {"trend": change and asdict(change)}

    def curve(self) -> list[dict[str, float | str | None]]:
        """A point per model, thinned: rows, labels, accuracy and miou with their intervals, the
        share of confirmed guesses, the graph.
        """
        models = self.models
        names = [f"{name}{end}" for name in ("accuracy", "miou") for end in ("", "_low", "_high")]
        return [
            {
                "rows": one.rows,
                "labels": one.labels,
                "confirmed": one.confirmed,
                "graph": one.graph,
            }
            | {name: _measured(one).get(name) for name in names}
            for one in models[:: -(-len(models) // _POINTS) or 1]
        ]


def trend(models: list[Learned]) -> Trend | None:
    """Of the newest model; None where there is nothing to compare it with."""
    measured = [one for one in models if _measured(one)]
    if not measured:
        return None
    newest = measured[-1]
    before = [one for one in measured if one.labels <= newest.labels - _STEP]
    if not before:
        return None
    now, then = _measured(newest), _measured(before[-1])
    return Trend(
        labels=newest.labels - before[-1].labels,
        accuracy=now["accuracy"] - then["accuracy"],
        miou=now["miou"] - then["miou"],
        settled=_SETTLED if _is_settled(measured) else None,
    )


def _is_settled(models: list[Learned]) -> bool:
    newest = models[-1]
    late = [one for one in models[:-1] if one.labels >= newest.labels - _SETTLED]
    spans = models[0].labels <= newest.labels - _SETTLED
    now = _measured(newest)
    is_narrow = now["accuracy_high"] - now["accuracy_low"] <= _NARROW
    if not spans or len(late) < _MODELS or not is_narrow:
        return False
    return all(_inside(newest, one) and _inside(one, newest) for one in late)


def _inside(one: Learned, other: Learned) -> bool:
    """Whether the accuracy of one lies in the other's interval."""
    interval = _measured(other)
    return bool(interval["accuracy_low"] <= _measured(one)["accuracy"] <= interval["accuracy_high"])


def _measured(one: Learned) -> dict[str, Any]:
    """What enough random pixels say of a model, or nothing."""
    return one.audit if one.audit and one.audit["pixels"] >= FEWEST else {}
