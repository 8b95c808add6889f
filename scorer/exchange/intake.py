"""Imports labels of annotation tools into a label store: all of them, or none."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from scorer.errors import BadLabels
from scorer.exchange import places
from scorer.exchange.catalogue import Catalogue, Sizes, sizes_of
from scorer.exchange.convert import FORMATS, Format, Gathered, asked, stored
from scorer.exchange.point import Point, check_words, within
from scorer.exchange.reading import Reading
from scorer.labels.answer import Answer
from scorer.labels.conflict import REFUSE, settle
from scorer.labels.store import Store
from scorer.pools import Index


@dataclass(frozen=True)
class Imported:
    """Summary of an import.

    new, before: answers that are new, and that the store already had; unlabelled: points without an
    answer. overruled: number of replaced answers, by annotator. passed: number of skipped objects,
    by kind. renamed: images, and their names in the files. disputed: a line per pixel with
    different answers, of which a rule chose one.
    """

    new: int
    before: int
    unlabelled: int
    overruled: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    disputed: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """The source of an import: annotator and round of the answers, and the rule for pixels with
    different answers (conflict.py).
    """

    path: Path
    format: str
    annotator: str
    round: int
    on_conflict: str = REFUSE


def take(
    source: LabelFile,
    into: Path,
    classes: Sequence[str],
    *,
    queries: Path | None = None,
    pool: Index | None = None,
) -> Imported:
    """Import labels into the store `into`, which is created if missing: all or, on any error, none.

    A repeated import of the same file adds nothing: a request is identified by the file's bytes,
    the annotator, the pixel and the answer. Raises BadLabels.
    """
    if FORMATS[source.format].words:
        check_words(classes)
    ranked = sizes_of(asked(queries).points) if queries else {}
    before = stored(into, classes) if into.exists() else Gathered([])
    catalogue = Catalogue(tuple(classes), ranked, pool, sizes_of(before.points))
    _check_known(catalogue)
    reading = Reading(catalogue)
    points, digests = _read(source.path, FORMATS[source.format], reading)
    with within(str(source.path)):
        if not points:
            raise _nothing(reading.passed)
        for image, size in sizes_of(points).items():
            catalogue.check_size(image, size)
        settled = settle(points, source.on_conflict, is_ordered=reading.is_ordered)
    grids = {**catalogue.stored, **catalogue.ranked}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    answers = [
        _answer(point, grids.get(point.image), source, digest=digests[point], time=time)
        for point in settled.kept
        if point.answer
    ]
    new, overruled = _keep(into, classes, answers)
    return Imported(
        new, len(answers) - new, len(settled.kept) - len(answers), overruled,
        passed=reading.passed, renamed=reading.renamed, disputed=tuple(settled.disputed),
    )  # fmt: skip


def _check_known(catalogue: Catalogue) -> None:
    if not catalogue.names:
        raise BadLabels(
            "nothing says which images there are and how large they are",
            remedy="give --pool the images, or --ranking the ranking that asked for the labels",
        )


def _nothing(passed: Mapping[str, int]) -> BadLabels:
    over = f"; passed over: {counted(passed)}" if passed else ""
    remedy = "label points in it first"
    if passed:
        remedy = "only points say what a single pixel is; areas become masks with --dense"
    return BadLabels(
        f"holds no labelled pixel, and none that waits for a label{over}", remedy=remedy
    )


def counted(kinds: Mapping[str, int]) -> str:
    """A text of counts by kind: 2 polygon, 1 tag."""
    ordered = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{number} {kind}" for kind, number in ordered)


def _read(path: Path, form: Format, reading: Reading) -> tuple[list[Point], dict[Point, str]]:
    """The points of every file, repeated if several people gave them; and the digest of each
    point's file.
    """
    points: list[Point] = []
    digests: dict[Point, str] = {}
    files = list(places.files(path, form.suffix))
    for file, name in files:
        digest = _digest(file)
        found = form.read(file, name, reading)
        points += found
        digests |= dict.fromkeys(found, digest)
    if len(files) > 1:
        reading.is_ordered = False
    return points, digests


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
    """Store the answers; returns the number of new ones, and the replaced ones by annotator."""
    with closing(Store(path, classes)) as opened:
        stand = {answer.pixel: answer for answer in opened.standing()}
        others = [one for one in answers if _answered(one) != _answered(stand.get(one.pixel))]
        new = opened.extend(
            [replace(one, request=opened.said_again(one.request)) for one in others]
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
        raise BadLabels(
            f"{path} cannot be read: {error.strerror or error}",
            remedy="give a file that may be read",
        ) from error
