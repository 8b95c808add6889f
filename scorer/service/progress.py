"""The progress of a live session: its models, the gain by recent labels, and when to stop."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scorer.files import Watched
from scorer.labels import learned
from scorer.labels.learned import FEWEST, Learned

_STEP = 100  # labels over which the gain is measured
_SETTLED = 200  # labels over which the accuracy must not change
_MODELS, _NARROW = 5, 0.15  # least number of models for this, and largest width of the interval
_POINTS = 400  # of the curve


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The gain by the last `labels` labels: differences of accuracy and mIoU on audit pixels.

    settled: number of labels over which the accuracy has not changed: the newest is within the
    interval of every model, theirs are within its own, and that is narrow; else None.
    """

    labels: int
    accuracy: float
    miou: float
    settled: int | None


class Progress:
    """The models in live.jsonl, read again when the file changes; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._file = Watched(path, learned.read)

    @property
    def models(self) -> list[Learned]:
        """All models, oldest first."""
        return self._file.value

    @property
    def newest(self) -> Learned | None:
        models = self.models
        return models[-1] if models else None

    def state(self) -> dict[str, Any] | None:
        """The newest model with its trend; None without any."""
        found = self.newest
        if found is None:
            return None
        change = trend(self.models)
        return asdict(found) | {"trend": change and asdict(change)}

    def curve(self) -> list[dict[str, float | str | None]]:
        """A point per model, subsampled: rows, labels, accuracy and mIoU with their intervals,
        share of confirmed guesses, graph.
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
    """The trend of the newest model; None if there is none to compare it with."""
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
    """Whether the accuracy of `one` is within the interval of `other`."""
    interval = _measured(other)
    return bool(interval["accuracy_low"] <= _measured(one)["accuracy"] <= interval["accuracy_high"])


def _measured(one: Learned) -> dict[str, Any]:
    """The audit of a model; empty for too few pixels."""
    return one.audit if one.audit and one.audit["pixels"] >= FEWEST else {}
