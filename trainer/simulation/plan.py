"""What a campaign does, and what may not change while it goes on."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scorer.selection.spacing import AUTO
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions
from trainer.split import Split

SHARED = ("n", "budget", "distance", "passes", "stride")  # of a plan and of its questions
SCORERS = ("torch", "graph")  # the model as it is, or export and scorer as a team would


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate.

    rounds: of queries, after the random one. n: pixels per image and round; budget: of the pool
    per round, n per image at most; distance: as in spacing.of. passes: m. stride: None: as coarse
    as the features. The rest ends a run of an acquisition early: most_labels, target (mIoU),
    patience (rounds without a better mIoU).
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
    """All that a round depends on; seeds, acquisitions and where to stop may be changed."""
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
    """Of the names of all images, of their masks as they are now, and of what those mean."""
    marks = [(name, _mark(split.mask(name))) for name in split.images.names]
    ids = sorted(split.ids.items()) if split.ids else None
    return hashlib.sha256(repr((marks, ids)).encode("utf-8", "surrogateescape")).hexdigest()


def _mark(path: Path | None) -> list[int] | None:
    """Size and time of a file, None where there is none."""
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
