"""Finds the classes that labels are exchanged in."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.labels import store
from scorer.runtimes import contract_of

_DATASET = Path("dataset.toml")


def classes_of(labels: Path | None, graph: Path, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The classes of the label store if it exists, else those given by the user, else those of the
    graph or plain network, else those of dataset.toml in the working directory. Raises BadLabels
    without any of them, BadGraph.
    """
    if labels is not None and labels.suffix.lower() == store.SUFFIX and labels.exists():
        return store.classes_of(labels)
    if given:
        return tuple(given)
    if graph.exists():
        return contract_of(graph).classes
    if names := _of_dataset(_DATASET):
        return names
    raise BadLabels(
        f"nothing says what the classes are: there is no label store, {graph} does not exist, and "
        f"no {_DATASET} names them",
        remedy="give --graph a graph, or begin a label store with the classes of the dataset, in "
        "their order: scorer labels import FILE --classes sky,road,car, or scorer serve --classes "
        "sky,road,car",
    )


def _of_dataset(path: Path) -> tuple[str, ...]:
    """The names in [classes] of a dataset.toml; none where there is none, as of a published one."""
    try:
        names = tomllib.loads(path.read_text("utf-8"))["classes"]["names"]
    except (OSError, ValueError, LookupError, TypeError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()
