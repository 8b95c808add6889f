"""Clicked pixels, from a CSV or from the annotation page's store, as all our programs read them."""

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
    """Read a labels file, .csv or .db; what cannot be understood is refused and named.

    classes: the names, in the order of the indices that the clicks get. audits: with the classes of
    answers that measure a model, which else are clicks without one. on_conflict: what is done with
    a pixel that a CSV gives different answers; in a store the last answer stands.
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
