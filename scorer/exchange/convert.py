"""Exports questions and answers to the formats of annotation tools."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from scorer.errors import BadLabels
from scorer.exchange import csv_file, cvat, label_studio, labelme, masks, places
from scorer.exchange.catalogue import Catalogue, sizes_of
from scorer.exchange.point import Point, check_words, is_unportable, within
from scorer.exchange.reading import Reading
from scorer.images import place
from scorer.labels import store
from scorer.labels.answer import AUDIT, Answer
from scorer.labels.conflict import settle
from scorer.pools import Index
from scorer.ranking import table
from scorer.selection.exclusion import mask_name


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format of an annotation tool.

    read(file, its path below the given folder, the import it is part of); write(place, points,
    classes). file_name: path of an image's file, for formats with one file per image in a folder.
    words: whether unsure, skip and unlabeled are written in place of a class.
    """

    suffix: str
    read: Callable[[Path, str, Reading], list[Point]]
    write: Callable[[Path, Sequence[Point], Sequence[str]], None]
    file_name: Callable[[str], str] | None = None
    words: bool = True


FORMATS = {
    "cvat": Format(suffix=".xml", read=cvat.read, write=cvat.write),
    "label-studio": Format(suffix=".json", read=label_studio.read, write=label_studio.write),
    "labelme": Format(
        suffix=".json", read=labelme.read, write=labelme.write, file_name=labelme.file_name
    ),
    "masks": Format(
        suffix=".png", read=masks.read, write=masks.write, file_name=mask_name, words=False
    ),
    "csv": Format(suffix=".csv", read=csv_file.read, write=csv_file.write, words=False),
}


@dataclass(frozen=True)
class Gathered:
    """Points, and images that are left out because label files cannot contain their names."""

    points: list[Point]
    left_out: frozenset[str] = frozenset()


def asked(path: Path) -> Gathered:
    """The pixels of a ranking, as unanswered points. Raises BadLabels."""
    if not path.is_file():
        raise BadLabels(f"{path} does not exist", remedy="scorer rank writes a ranking")
    with within(str(path)):
        try:
            return _portable(table.read(path), lambda row: str(row["image"]), _asked)
        except BadLabels:
            raise
        except (OSError, csv.Error, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadLabels(
                f"cannot be read as a ranking: {error!r}",
                remedy="scorer rank writes it; one with a label column goes to --labels",
            ) from error


def _asked(row: table.Row) -> Point:
    return Point(**{name: row[name] for name in (*place.NAMES, "rank", "score")})


def stored(path: Path, classes: Sequence[str]) -> Gathered:
    """The current answers of a store."""
    with store.reading(path, classes) as opened:
        return _portable(opened.standing(), lambda answer: answer.image, _stored)


def taught(path: Path, classes: Sequence[str]) -> Gathered:
    """The current answers of a store except audit answers, which models must not be trained on."""
    with store.reading(path, classes) as opened:
        answers = [answer for answer in opened.standing() if answer.source != AUDIT]
    return _portable(answers, lambda answer: answer.image, _stored)


def _stored(answer: Answer) -> Point:
    return Point(**answer.coordinates, answer=answer.answer, class_name=answer.class_name)


T = TypeVar("T")


def _portable(
    rows: Iterable[T], image: Callable[[T], str], point: Callable[[T], Point]
) -> Gathered:
    points, left_out = [], set()
    for row in rows:
        if is_unportable(image(row)):
            left_out.add(image(row))
        else:
            points.append(point(row))
    return Gathered(points, frozenset(left_out))


def gather(
    classes: Sequence[str], *, labels: Path | None, queries: Path | None, pool: Index | None = None
) -> Gathered:
    """Questions and answers, each pixel once, ordered by image and rank. Raises BadLabels."""
    wanted = asked(queries) if queries else Gathered([])
    catalogue = Catalogue(tuple(classes), sizes_of(wanted.points), pool, has_strangers=True)
    answers = _answers(labels, catalogue) if labels else Gathered([])
    sizes_of([*wanted.points, *answers.points])
    points = {point.pixel: point for point in wanted.points}
    for point in settle(answers.points).kept:
        query = points.get(point.pixel, point)
        points[point.pixel] = replace(query, answer=point.answer, class_name=point.class_name)
    return Gathered(sorted(points.values(), key=_order), wanted.left_out | answers.left_out)


def _answers(path: Path, catalogue: Catalogue) -> Gathered:
    if not path.is_file():
        raise BadLabels(
            f"{path} does not exist", remedy="give --labels the path of a .db or .csv file"
        )
    if path.suffix.lower() == store.SUFFIX:
        return taught(path, catalogue.classes)
    return Gathered(csv_file.read(path, path.name, Reading(catalogue)))


def _order(point: Point) -> tuple[str, bool, int, int, int]:
    return point.image, point.rank is None, point.rank or 0, point.row, point.col


def write(path: Path, points: Sequence[Point], classes: Sequence[str], kind: str) -> None:
    """Write points in a format, to a file, or into a folder if the format has one file per
    image.
    """
    form = FORMATS[kind]
    if form.words:
        check_words(classes)
    places.check(path, kind, form.suffix, form.file_name, {point.image for point in points})
    form.write(path, points, classes)
