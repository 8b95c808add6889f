"""Finds the classes that labels are exchanged in."""

from collections.abc import Sequence
from pathlib import Path

from scorer.errors import BadLabels
from scorer.labels import store
from scorer.runtimes import contract_of


def classes_of(labels: Path | None, graph: Path, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The classes of the label store if it exists, else those given by the user, else those of the
    graph or plain network. Raises BadLabels without any of them, BadGraph.
    """
    if labels is not None and labels.suffix.lower() == store.SUFFIX and labels.exists():
        return store.classes_of(labels)
    if given:
        return tuple(given)
    if not graph.exists():
        raise BadLabels(
            f"nothing says what the classes are: there is no label store, and {graph} does not "
            "exist",
            remedy="give --graph a graph, or begin a label store: scorer labels import --classes "
            "sky,road,car or scorer serve --classes sky,road,car",
        )
    return contract_of(graph).classes
