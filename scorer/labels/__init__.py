"""Labelled pixels, read from a CSV or a label store, the same way in all programs."""

from collections.abc import Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.labels import csv_file, store
from scorer.labels.click import Click, Labels
from scorer.labels.conflict import REFUSE
from scorer.labels.csv_file import write

__all__ = ["Click", "Labels", "read", "write"]


def read(
    path: Path, classes: Sequence[str], *, audits: bool = False, on_conflict: str = REFUSE
) -> Labels:
    """Read a labels file, .csv or .db. Raises BadLabels, which names what cannot be understood.

    classes: names, in the order of the class indices in clicks. audits: whether audit answers keep
    their class; otherwise they are clicks without one. on_conflict: how contradictory answers of a
    CSV are resolved; in a store the last answer counts.
    """
    kind = path.suffix.lower()
    if kind not in {".csv", store.SUFFIX}:
        raise BadLabels(
            f"{path}: labels are read from .csv and {store.SUFFIX} files only",
            remedy="import labels of other formats with: scorer labels import",
        )
    if kind == ".csv":
        return csv_file.read(path, classes, on_conflict=on_conflict)
    if on_conflict != REFUSE:
        raise BadLabels(
            f"{path}: a rule for different answers is for a CSV",
            remedy="leave --on-conflict away: in a label store, the last answer to a pixel stands",
        )
    return store.read(path, classes, audits=audits)
