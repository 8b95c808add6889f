"""The stages of a scoring graph; the names of its nodes begin with them."""

BACKBONE, HEAD, PASSES, MOMENTS, ACQUISITION = STAGES = (
    "backbone", "head", "passes", "moments", "acquisition",
)  # fmt: skip
_TAIL = "scoring/"  # before the names of the nodes behind the features


def stage_of(node: str) -> str | None:
    """The stage in the name of a node; None for nodes that a runtime added, and for graphs of
    versions that did not name stages.
    """
    first = node.removeprefix(_TAIL).partition("/")[0]
    return first if first in STAGES else None
