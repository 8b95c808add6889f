"""Statistics of a label store: answers, speed and agreement of annotators."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from scorer.labels.answer import Answer


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """Counts of an annotator's answers; seconds: median time per answer."""

    answers: int
    labels: int
    unsure: int
    skip: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Statistics of all answers that were not retracted.

    by_class, by_source: of current answers. looked_again, mended: answers that were reviewed, and
    those changed by the review. seen_by_several, agreed: pixels to which several annotators gave a
    class, and those to which all gave the same.
    """

    answers: int
    images: int
    annotators: Mapping[str, Annotator]
    by_class: Mapping[str, int]
    by_source: Mapping[str, int]
    looked_again: int
    mended: int
    seen_by_several: int
    agreed: int


def summarise(answers: Iterable[tuple[int, Answer]]) -> Summary:
    """Summarise numbered answers, in order of time, without retracted ones."""
    by_number = dict(answers)
    every = list(by_number.values())
    standing = {one.pixel: one for one in every}
    again = [one for one in every if one.reviews in by_number]
    several = [classes for classes in _by_annotator(every).values() if len(classes) > 1]
    return Summary(
        answers=len(every),
        images=len({one.image for one in every}),
        annotators=_annotators(every),
        by_class=dict(Counter(one.class_name for one in standing.values() if one.class_name)),
        by_source=dict(Counter(one.source for one in standing.values())),
        looked_again=len(again),
        mended=sum(one.class_name != by_number[one.reviews or 0].class_name for one in again),
        seen_by_several=len(several),
        agreed=sum(len(set(classes.values())) == 1 for classes in several),
    )


def _annotators(answers: Iterable[Answer]) -> dict[str, Annotator]:
    by_name: dict[str, list[Answer]] = defaultdict(list)
    for one in answers:
        by_name[one.annotator].append(one)
    return {
        name: Annotator(
            answers=len(found),
            labels=sum(one.answer == "label" for one in found),
            unsure=sum(one.answer == "unsure" for one in found),
            skip=sum(one.answer == "skip" for one in found),
            seconds=round(median(one.seconds for one in found), 2),
        )
        for name, found in by_name.items()
    }


def _by_annotator(answers: Iterable[Answer]) -> dict[tuple[str, int, int], dict[str, str]]:
    """The last class that each annotator gave to each pixel."""
    found: dict[tuple[str, int, int], dict[str, str]] = defaultdict(dict)
    for one in answers:
        if one.class_name is not None:
            found[one.pixel][one.annotator] = one.class_name
    return found
