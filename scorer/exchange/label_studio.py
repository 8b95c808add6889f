"""Label Studio: tasks as JSON, https://labelstud.io/guide/task_format and tags/keypointlabels.

A pixel is a key point at its centre, in per cent of the image: x = (col + 0.5) / width * 100, and
back by col = floor(x / 100 * width), which is exact for sides up to MAX_SIDE.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from scorer.errors import BadLabels
from scorer.exchange import json_file, label_studio_address
from scorer.exchange.point import UNSURE_OR_SKIP, Point, answer_of, placed, within
from scorer.exchange.reading import Reading
from scorer.files import replacing
from scorer.labels.answer import UNLABELED

KIND = "keypointlabels"
_REMEDY = "export the project of Label Studio as JSON, not as JSON-MIN or CSV"
_FOLDER = "images"  # Label Studio serves only files in folders below its document root
_BEFORE = datetime.min.replace(tzinfo=UTC)  # sorting time of unanswered points
_DOT = 0.5  # drawn size of a point, in per cent of the width


def write(path: Path, points: Sequence[Point], classes: Sequence[str]) -> None:
    """Write the tasks, and beside them <name>.config.xml, the labelling interface of the
    project.
    """
    with replacing(path.with_suffix(".config.xml")) as file:
        file.writelines(_config(classes))
    scores = _scores(_best(points))
    by_image = groupby(points, lambda one: one.image)
    tasks = [_task(image, list(group), scores.get(image)) for image, group in by_image]
    with replacing(path) as file:
        json.dump(tasks, file, indent=1)


def _config(classes: Sequence[str]) -> Iterator[str]:
    yield '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
    yield '  <KeyPointLabels name="pixel" toName="image">\n'
    for word in (UNLABELED, *classes, *UNSURE_OR_SKIP):
        yield f"    <Label value={quoteattr(word)}/>\n"
    yield "  </KeyPointLabels>\n</View>\n"


def _task(image: str, points: Sequence[Point], score: float | None) -> dict[str, object]:
    answered = [_result(point) for point in points if point.answer]
    asked = [_result(point) for point in points if not point.answer]
    worth = {} if score is None else {"score": score}
    prediction = {"model_version": "balentacq", **worth, "result": asked}
    return {
        "data": {"image": address(image), "name": image},
        "annotations": [{"result": answered}] if answered else [],
        "predictions": [prediction] if asked else [],
    }


def address(image: str) -> str:
    """The URL at which Label Studio serves an image of the pool from its local files."""
    return f"/data/local-files/?d={_FOLDER}/{quote(image)}"


def _scores(best: Mapping[str, float]) -> dict[str, float]:
    """The score of each image's task, by which Label Studio sorts: the rank of its best pixel's
    score as a share from 0 to 1, the range that Label Studio accepts.
    """
    order = sorted(best.values())
    return {image: bisect_right(order, score) / len(order) for image, score in best.items()}


def _best(points: Iterable[Point]) -> dict[str, float]:
    """The best score of the unanswered points of every image."""
    best: dict[str, float] = {}
    for one in points:
        if one.answer is None and one.score is not None:
            best[one.image] = max(one.score, best.get(one.image, one.score))
    return best


def _result(point: Point) -> dict[str, object]:
    return {
        "id": f"{point.row}-{point.col}",
        "type": KIND,
        "from_name": "pixel",
        "to_name": "image",
        "original_width": point.width,
        "original_height": point.height,
        "image_rotation": 0,
        "value": {
            "x": to_percent(point.col, point.width),
            "y": to_percent(point.row, point.height),
            "width": _DOT,
            KIND: [point.word],
        },
    }


def to_percent(place: int, side: int) -> float:
    """The centre of a pixel, in per cent of a side of `side` pixels."""
    return (place + 0.5) / side * 100


def from_percent(position: float, side: int) -> int:
    """The pixel that contains a position in per cent."""
    return placed(position / 100 * side, side) if position != 100 else side - 1


def read(path: Path, _name: str, reading: Reading) -> list[Point]:
    """Read the points of submitted annotations, oldest first, and our unanswered questions.

    Cancelled annotations, predictions of other programs and other shapes are counted as skipped.
    Raises BadLabels.
    """
    tasks = json_file.read(path, _REMEDY)
    if not isinstance(tasks, list):
        raise BadLabels(f"{path} is not a list of tasks", remedy=_REMEDY)
    found = [
        timed for number, task in enumerate(tasks, 1) for timed in _of(task, path, number, reading)
    ]
    times = {time for time, point in found if point.answer}
    reading.is_ordered = None not in times
    if reading.is_ordered:
        found.sort(key=lambda timed: timed[0] or _BEFORE)
    return [point for _, point in found]


def _of(
    task: Any, path: Path, number: int, reading: Reading
) -> Iterator[tuple[datetime | None, Point]]:
    """Yield the points of a task, with the times of their annotations."""
    with within(f"{path} task {number}"):
        names: list[str] = []
        try:
            data = task["data"]
            given = list(_results(task.get("annotations") or (), reading))
            asked = list(_asked(task.get("predictions") or (), reading))
            if task.get("drafts"):
                reading.pass_over("draft")
            if not given and not asked:
                return
            names = label_studio_address.images(data, reading)
            for time, result in [*given, *((None, one) for one in asked)]:
                yield time, _point(result, _image(result, names), reading)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(
                f"{''.join(names[:1])}: not as Label Studio writes it: {error!r}".removeprefix(
                    ": "
                ),
                remedy=_REMEDY,
            ) from error


def _results(annotations: Iterable[Any], reading: Reading) -> Iterator[tuple[datetime | None, Any]]:
    """Yield the key points of annotations that were not cancelled, with the annotations' times."""
    for one in annotations:
        if one.get("was_cancelled"):
            reading.pass_over("cancelled annotation")
            continue
        said = one.get("updated_at") or one.get("created_at")
        time = datetime.fromisoformat(said) if said else None
        for result in one["result"]:
            if result.get("type") == KIND:
                yield time if time is None or time.tzinfo else time.replace(tzinfo=UTC), result
            else:
                reading.pass_over(str(result.get("type")))


def _asked(predictions: Iterable[Any], reading: Reading) -> Iterator[Any]:
    """Yield our questions among the predictions; an export may contain only ids of predictions."""
    for one in predictions:
        if isinstance(one, int):
            continue
        for result in one["result"]:
            if result.get("type") == KIND and result["value"][KIND] == [UNLABELED]:
                yield result
            else:
                reading.pass_over("prediction of another program")


def _image(result: Any, names: Sequence[str]) -> str:
    """The image of a key point, among the images of its task. Raises BadLabels."""
    index = result.get("item_index")
    if index is None and len(names) > 1:
        raise BadLabels(
            f"a task has {len(names)} images, and a point does not say of which it is",
            remedy="give every task one image",
        )
    return names[index or 0]


def _point(result: Any, image: str, reading: Reading) -> Point:
    if result.get("image_rotation"):
        raise BadLabels(f"{image} was turned", remedy="turn it back in Label Studio and export")
    height, width = result.get("original_height"), result.get("original_width")
    if height is None or width is None:
        size = reading.catalogue.size(image)
        height, width = size.height, size.width
    value = result["value"]
    if len(value[KIND]) != 1:
        raise BadLabels(f"{image}: a point has {len(value[KIND])} labels", remedy="choose one")
    answer, class_name = answer_of(value[KIND][0], reading.classes)
    x, y = float(value["x"]), float(value["y"])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadLabels(
            f"{image}: a point at {x}, {y}",
            remedy="correct the file, or export it from the tool again",
        )
    return Point(
        image=image,
        row=from_percent(y, height),
        col=from_percent(x, width),
        height=height,
        width=width,
        answer=answer,
        class_name=class_name,
    )
