"""What an annotator said of a pixel: a row of the label store."""

from dataclasses import dataclass

from scorer.images.place import Place

ANSWERS = ("label", "unsure", "skip")
UNDO = "undo"
UNLABELED = "unlabeled"  # what is written where there is no answer yet
# Why a pixel has an answer: a model asked for it; a random one was asked, to measure the model; or
# the annotator chose it.
ASKED, AUDIT, FREE = SOURCES = ("asked", "audit", "free")


@dataclass(frozen=True, kw_only=True)
class Answer(Place):
    """What an annotator said of one pixel.

    answer: one of ANSWERS; class_name: with "label". seconds: that it took; time: ISO 8601, UTC.
    request: names the answer, so that the same one sent twice is one. graph: the hash of the
    contract of what chose the pixel, "" where that is not known. source: one of SOURCES. guess: the
    class that the model of that time gave the pixel, "" without one. reviews: the number of an
    earlier answer to this pixel, which the annotator was shown and has confirmed or mended.
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
