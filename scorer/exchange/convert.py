"""Points out to the formats of annotation tools, and back into the label store."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from scorer.errors import BadLabels
from scorer.exchange import csv_file, cvat, label_studio, labelme, masks, places
from scorer.exchange.catalogue import Catalogue, Sizes, sizes_of
from scorer.exchange.point import Point, check_words, within
from scorer.images import place
from scorer.labels import store
from scorer.labels.answer import AUDIT, Answer
from scorer.labels.store import Store
from scorer.pools import Index
from scorer.ranking import table
from scorer.selection.exclusion import mask_name


@dataclass(frozen=True, kw_only=True)
class Format:
    """read(file, its path below the folder that was given, what is known); write(place, points,
    classes). file_name: of an image, where each has its own file, in a folder. words: unsure, skip
    and unlabeled stand where a class stands.
    """

    suffix: str
    read: Callable[[Path, str, Catalogue], list[Point]]
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
class Imported:
    """What an import did: answers that are new, those that stood before, points not answered yet;
    and whose other answers the new ones overrule, how many of each.
    """

    new: int
    before: int
    unlabelled: int
    overruled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """Where labels come from: whose they are, and of which round of asking."""

    path: Path
    format: str
    annotator: str
    round: int


def asked(path: Path) -> list[Point]:
    """The pixels of a ranking, none of them answered."""
    with within(str(path)):
        try:
            return [_asked(row) for row in table.read(path)]
        except BadLabels:
            raise
        except (OSError, csv.Error, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadLabels(
                f"cannot be read as a ranking: {error!r}",
                remedy="scorer rank writes it; one with a label column goes to --labels",
            ) from error


def _asked(row: table.Row) -> Point:
    return Point(**{name: row[name] for name in (*place.NAMES, "rank", "score")})


def stored(path: Path, classes: Sequence[str]) -> list[Point]:
    """The answers of a store as they stand."""
    with store.reading(path, classes) as opened:
        return [_stored(answer) for answer in opened.standing()]


def taught(path: Path, classes: Sequence[str]) -> list[Point]:
    """Those that a model may learn from: answers that measure it are not handed on."""
    with store.reading(path, classes) as opened:
        return [_stored(answer) for answer in opened.standing() if answer.source != AUDIT]


def _stored(answer: Answer) -> Point:
    return Point(**answer.coordinates, answer=answer.answer, class_name=answer.class_name)


def gather(
    classes: Sequence[str], *, labels: Path | None, queries: Path | None, pool: Index | None = None
) -> list[Point]:
    """What was asked and what was answered, each pixel once, in the order of images and ranks."""
    wanted = asked(queries) if queries else []
    catalogue = Catalogue(tuple(classes), sizes_of(wanted), pool)
    answers = _answers(labels, catalogue) if labels else []
    sizes_of([*wanted, *answers])
    points = {point.pixel: point for point in wanted}
    for point in once(answers):
        query = points.get(point.pixel, point)
        points[point.pixel] = replace(query, answer=point.answer, class_name=point.class_name)
    return sorted(points.values(), key=_order)


def _answers(path: Path, catalogue: Catalogue) -> list[Point]:
    if not path.is_file():
        raise BadLabels(
            f"{path} does not exist", remedy="give --labels the path of a .db or .csv file"
        )
    if path.suffix.lower() == store.SUFFIX:
        return taught(path, catalogue.classes)
    return csv_file.read(path, path.name, catalogue)


def _order(point: Point) -> tuple[str, bool, int, int, int]:
    return point.image, point.rank is None, point.rank or 0, point.row, point.col


def once(points: Iterable[Point]) -> list[Point]:
    """Each pixel once, an answer before none; BadLabels where a pixel has two answers."""
    found: dict[tuple[str, int, int], Point] = {}
    for point in points:
        first = found.get(point.pixel)
        if first is None or first.answer is None:
            found[point.pixel] = point
        elif point.answer and point.answered != first.answered:
            raise BadLabels(
                f"{point.image} row {point.row}, col {point.col} is {first.word} and {point.word}",
                remedy="keep one of the two answers",
            )
    return list(found.values())


def write(path: Path, points: Sequence[Point], classes: Sequence[str], kind: str) -> None:
    """Write points in a format, to a file or, where it has one per image, into a folder."""
    form = FORMATS[kind]
    if form.words:
        check_words(classes)
    places.check(path, kind, form.suffix, form.file_name, {point.image for point in points})
    form.write(path, points, classes)


def take(
    source: LabelFile,
    into: Path,
    classes: Sequence[str],
    *,
    queries: Path | None = None,
    pool: Index | None = None,
) -> Imported:
    """Labels into the store `into`, which is made if absent: all of them or, on any error, none.

    The same file is taken once: a request names its bytes, the annotator, the pixel, the answer.
    """
    form = FORMATS[source.format]
    if form.words:
        check_words(classes)
    wanted = asked(queries) if queries else []
    before = stored(into, classes) if into.exists() else []
    catalogue = Catalogue(tuple(classes), sizes_of([*wanted, *before]), pool)
    read = _read(source.path, form, catalogue)
    with within(str(source.path)):
        points = once(read)
        sizes_of([*wanted, *before, *points])
    grids = sizes_of([*wanted, *before])
    time = datetime.now(UTC).isoformat(timespec="seconds")
    answers = [
        _answer(point, grids.get(point.image), source, digest=read[point], time=time)
        for point in points
        if point.answer
    ]
    new, overruled = _keep(into, classes, answers)
    return Imported(new, len(answers) - new, len(points) - len(answers), overruled)


def _read(path: Path, form: Format, catalogue: Catalogue) -> dict[Point, str]:
    """The points of every file, each with the digest of its file."""
    found: dict[Point, str] = {}
    for file, name in places.files(path, form.suffix):
        digest = _digest(file)
        found |= dict.fromkeys(form.read(file, name, catalogue), digest)
    return found


def _answer(
    point: Point, asked_on: Sizes | None, source: LabelFile, *, digest: str, time: str
) -> Answer:
    whole = (*point.pixel, *point.answered)
    name = json.dumps(["import", digest, source.format, source.annotator, *whole])
    grid = asked_on or point
    grid_size = {
        "grid_height": grid.grid_height or point.height,
        "grid_width": grid.grid_width or point.width,
    }
    return Answer(
        **point.coordinates | grid_size,
        answer=point.answer or "",
        class_name=point.class_name,
        round=source.round,
        annotator=source.annotator,
        seconds=0.0,
        time=time,
        request=hashlib.sha256(name.encode()).hexdigest(),
    )


def _keep(
    path: Path, classes: Sequence[str], answers: Sequence[Answer]
) -> tuple[int, Mapping[str, int]]:
    """How many were new: an answer that stands already is not; and whose were overruled."""
    with closing(Store(path, classes)) as opened:
        stand = {answer.pixel: answer for answer in opened.standing()}
        new = opened.extend(
            one for one in answers if _answered(one) != _answered(stand.get(one.pixel))
        )
    before = (stand[one.pixel].annotator for one in new if one.pixel in stand)
    return len(new), Counter(before)


def _answered(answer: Answer | None) -> tuple[str, str | None] | None:
    return None if answer is None else (answer.answer, answer.class_name)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadLabels(f"{path} cannot be read: {error.strerror or error}") from error
