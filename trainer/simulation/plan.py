"""The plan of a campaign, and which of its settings must not change while it runs."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scorer.selection.spacing import AUTO
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions
from trainer.split import Split

# fields that a plan and its questions share
SHARED = ("n", "budget", "distance", "passes", "stride")
SCORERS = ("torch", "graph")  # the model in PyTorch, or the commands export and scorer


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate.

    rounds: after the random one. n: pixels per image and round; budget: pixels in the pool per
    round, at most n per image; distance: as in spacing.of. passes: m. stride: None: that of the
    features. An acquisition ends early at most_labels labels, at a mIoU of target, or after
    patience rounds without a better mIoU.
    """

    acquisitions: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    rounds: int = 5
    n: int = 5
    budget: int | None = None
    distance: float | None = AUTO
    passes: int = 20
    stride: int | None = None
    scorer: str = "torch"
    most_labels: int | None = None
    target: float | None = None
    patience: int | None = None
    training: FitOptions = field(default_factory=FitOptions)


def identity(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """All settings that a round depends on; seeds, acquisitions and end conditions may change."""
    training = asdict(plan.training)
    for name in ("labels", "resume", "measurements", "kept"):
        del training[name]
    for name in ("recipe", "finetune"):
        (training[name] or {}).pop("seed", None)
    assert dataset.val is not None
    values = {
        "images": _digest(dataset.train),
        "validation": _digest(dataset.val),
        "classes": [dataset.classes.names, dataset.classes.ignore],
        "weights": _mark(Path(plan.training.weights)),
        "size": dataset.size,
        **training.pop("recipe"),
        **training,
        "scorer": plan.scorer,
        **{name: getattr(plan, name) for name in SHARED},
    }
    return json.loads(json.dumps(values))  # type: ignore[no-any-return]


def _digest(split: Split) -> str:
    """Hash of the names of all images, of the state of their masks, and of the masks' values."""
    marks = [(name, _mark(split.mask(name))) for name in split.images.names]
    ids = sorted(split.ids.items()) if split.ids else None
    return hashlib.sha256(repr((marks, ids)).encode("utf-8", "surrogateescape")).hexdigest()


def _mark(path: Path | None) -> list[int] | None:
    """Size and modification time of a file; None if it does not exist."""
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
