"""Label Studio: tasks as JSON, https://labelstud.io/guide/task_format and tags/keypointlabels.

A pixel is a key point in its middle, in per cent of the image: x = (col + 0.5) / width * 100,
and back by col = floor(x / 100 * width), which is exact for sides up to MAX_SIDE.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from scorer.errors import BadLabels
from scorer.exchange import json_file
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.point import UNSURE_OR_SKIP, Point, answer_of, placed, within
from scorer.files import replacing
from scorer.labels.answer import UNLABELED

KIND = "keypointlabels"
_REMEDY = "export the project of Label Studio as JSON, not as JSON-MIN or CSV"
_FOLDER = "images"  # Label Studio serves no files but those in folders below its document root
_DOT = 0.5  # the size in which a point is drawn, per cent of the width


def write(path: Path, points: Sequence[Point], classes: Sequence[str]) -> None:
    """The tasks; and beside them <name>.config.xml, the labelling interface of the project."""
    with replacing(path.with_suffix(".config.xml")) as file:
        file.writelines(_config(classes))
    tasks = [_task(image, list(group)) for image, group in groupby(points, lambda one: one.image)]
    with replacing(path) as file:
        json.dump(tasks, file, indent=1)


def _config(classes: Sequence[str]) -> Iterator[str]:
    yield '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
    yield '  <KeyPointLabels name="pixel" toName="image">\n'
    for word in (UNLABELED, *classes, *UNSURE_OR_SKIP):
        yield f"    <Label value={quoteattr(word)}/>\n"
    yield "  </KeyPointLabels>\n</View>\n"


def _task(image: str, points: Sequence[Point]) -> dict[str, object]:
    answered = [_result(point) for point in points if point.answer]
    asked = [_result(point) for point in points if not point.answer]
    return {
        "data": {"image": address(image), "name": image},
        "annotations": [{"result": answered}] if answered else [],
        "predictions": [{"model_version": "balentacq", "result": asked}] if asked else [],
    }


def address(image: str) -> str:
    """Where Label Studio serves an image of the pool, from its own disk."""
    return f"/data/local-files/?d={_FOLDER}/{quote(image)}"


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
    """The middle of a pixel, per cent of a side of so many pixels."""
    return (place + 0.5) / side * 100


def from_percent(position: float, side: int) -> int:
    """The pixel in which a position lies."""
    return placed(position / 100 * side, side) if position != 100 else side - 1


def read(path: Path, _name: str, catalogue: Catalogue) -> list[Point]:
    """The points of the annotations that stand, and the queries of ours that wait.

    Cancelled annotations, other programs' predictions and other shapes are passed over.
    """
    tasks = json_file.read(path, _REMEDY)
    if not isinstance(tasks, list):
        raise BadLabels(f"{path} is not a list of tasks", remedy=_REMEDY)
    return [
        point
        for number, task in enumerate(tasks, 1)
        for point in _of(task, path, number, catalogue)
    ]


def _of(task: Any, path: Path, number: int, catalogue: Catalogue) -> Iterator[Point]:
    with within(f"{path} task {number}"):
        image = ""
        try:
            image = image_of(task["data"], catalogue)
            for result in _results(task.get("annotations") or ()):
                yield _point(result, image, catalogue)
            for result in _results(task.get("predictions") or ()):
                if result["value"][KIND] == [UNLABELED]:
                    yield _point(result, image, catalogue)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(
                f"{image}: not as Label Studio writes it: {error!r}".removeprefix(": "),
                remedy=_REMEDY,
            ) from error


def _results(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if not part.get("was_cancelled"):
            yield from (result for result in part["result"] if result.get("type") == KIND)


def image_of(data: Any, catalogue: Catalogue) -> str:
    """By the name that we wrote or, in tasks that others made, by the path of the image."""
    name = data.get("name")
    if name in catalogue.names or (isinstance(name, str) and not catalogue.names):
        return str(name)
    address = urlsplit(data["image"])
    local = parse_qs(address.query).get("d")
    return catalogue.find((local[0] if local else unquote(address.path)).lstrip("/"))


def _point(result: Any, image: str, catalogue: Catalogue) -> Point:
    if result.get("image_rotation"):
        raise BadLabels(f"{image} was turned", remedy="turn it back in Label Studio and export")
    height, width = result.get("original_height"), result.get("original_width")
    if height is None or width is None:
        height, width = catalogue.size(image).height, catalogue.size(image).width
    value = result["value"]
    if len(value[KIND]) != 1:
        raise BadLabels(f"{image}: a point has {len(value[KIND])} labels", remedy="choose one")
    answer, class_name = answer_of(value[KIND][0], catalogue.classes)
    x, y = float(value["x"]), float(value["y"])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadLabels(f"{image}: a point at {x}, {y}")
    return Point(
        image=image,
        row=from_percent(y, height),
        col=from_percent(x, width),
        height=height,
        width=width,
        answer=answer,
        class_name=class_name,
    )
