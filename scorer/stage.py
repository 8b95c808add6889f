"""The stages of a scoring graph, which its nodes name."""

BACKBONE, HEAD, PASSES, MOMENTS, ACQUISITION = STAGES = (
    "backbone", "head", "passes", "moments", "acquisition",
)  # fmt: skip
TAIL = "scoring/"  # begins the names of all nodes and tensors behind the features


def stage_of(node: str) -> str | None:
    """The stage in the name of a node; None for nodes that a runtime added, and for graphs of
    versions that did not name stages.
    """
    first = node.removeprefix(TAIL).partition("/")[0]
    return first if first in STAGES else None
