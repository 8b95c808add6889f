"""The stages of a scoring graph; the names of its nodes begin with them."""

BACKBONE, HEAD, PASSES, MOMENTS, ACQUISITION = STAGES = (
    "backbone", "head", "passes", "moments", "acquisition",
)  # fmt: skip


def stage_of(node: str) -> str | None:
    """The stage in the name of a node; None for nodes that a runtime added, and for graphs of
    versions that did not name stages.
    """
    return next((part for part in node.split("/")[:2] if part in STAGES), None)
