"""An annotator's answer about a pixel: a row of the label store."""

from dataclasses import dataclass

from scorer.images.place import Place

ANSWERS = ("label", "unsure", "skip")
UNDO = "undo"
UNLABELED = "unlabeled"  # written in place of a missing answer
# Why a pixel was answered: a model chose it; it was drawn at random to measure the model; or the
# annotator chose it.
ASKED, AUDIT, FREE = SOURCES = ("asked", "audit", "free")


@dataclass(frozen=True, kw_only=True)
class Answer(Place):
    """An annotator's answer about one pixel.

    answer: one of ANSWERS; class_name: if it is "label". seconds: time that the answer took; time:
    ISO 8601, UTC. request: id of the answer, so that repeated transmissions are stored once. graph:
    hash of the contract of the graph that chose the pixel, "" if unknown. source: one of SOURCES.
    guess: the class that the model predicted, "" without one. reviews: number of an earlier answer
    to this pixel that the annotator was shown, and has confirmed or changed.
    """

    grid_height: int
    grid_width: int
    answer: str
    class_name: str | None
    round: int
    annotator: str
    seconds: float
    time: str
    request: str
    graph: str = ""
    source: str = ASKED
    guess: str = ""
    reviews: int | None = None
