"""labelme, one JSON file beside each image: https://github.com/wkentaro/labelme

A pixel is a point at its centre: x = col + 0.5, y = row + 0.5, in pixels.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from scorer.errors import BadLabels
from scorer.exchange import json_file
from scorer.exchange.catalogue import Sizes
from scorer.exchange.point import Point, clicked, within
from scorer.exchange.reading import Reading
from scorer.files import replacing

VERSION = "5.5.0"  # the version of labelme whose files these match
_REMEDY = "labelme writes one JSON file per image; give their folder"


def file_name(image: str) -> str:
    """The path of an image's file: the image's path, with .json."""
    return PurePosixPath(image).with_suffix(".json").as_posix()


def write(folder: Path, points: Sequence[Point], _classes: Sequence[str]) -> None:
    """Write one file per image, in the folder structure of the images."""
    for image, group in groupby(points, lambda one: one.image):
        with replacing(folder / file_name(image)) as file:
            json.dump(_contents(list(group)), file, indent=2)


def _contents(points: Sequence[Point]) -> dict[str, object]:
    return {
        "version": VERSION,
        "flags": {},
        "shapes": [_shape(point) for point in points],
        "imagePath": PurePosixPath(points[0].image).name,
        "imageData": None,
        "imageHeight": points[0].height,
        "imageWidth": points[0].width,
    }


def _shape(point: Point) -> dict[str, object]:
    return {
        "label": point.word,
        "points": [[point.col + 0.5, point.row + 0.5]],
        "group_id": None,
        "description": "",
        "shape_type": "point",
        "flags": {},
        "mask": None,
    }


def read(path: Path, name: str, reading: Reading) -> list[Point]:
    """Read the points of a file; name: its path below the folder. Other shapes, and JSON files of
    other programs, are counted as skipped. Raises BadLabels.
    """
    contents = json_file.read(path, _REMEDY)
    if not (isinstance(contents, dict) and {"shapes", "imagePath"} <= contents.keys()):
        reading.pass_over(f"JSON file that labelme did not write ({name})")
        return []
    with within(str(path)):
        try:
            return list(_points(contents, PurePosixPath(name).parent, reading))
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(f"not as labelme writes it: {error!r}", remedy=_REMEDY) from error


def _points(contents: Any, folder: PurePosixPath, reading: Reading) -> Iterator[Point]:
    found = [shape for shape in contents["shapes"] if _is_point(shape, reading)]
    if not found:
        return
    image = reading.image(_path(contents["imagePath"], folder))
    size = _size(contents) or reading.catalogue.size(image)
    for shape in found:
        ((x, y),) = shape["points"]
        yield clicked(
            x, y, image=image, height=size.height, width=size.width, word=shape["label"],
            classes=reading.classes,
        )  # fmt: skip


def _is_point(shape: Any, reading: Reading) -> bool:
    kind = shape.get("shape_type")
    if kind is None:  # labelme 3 has no types: a shape with one point is a point
        kind = "point" if len(shape["points"]) == 1 else "polygon"
    if kind != "point":
        reading.pass_over(str(kind))
    return str(kind) == "point"


def _path(stated: str, folder: PurePosixPath) -> str:
    """The image's path from the given folder; stated: relative to the file's folder, perhaps of
    Windows.
    """
    if PureWindowsPath(stated).is_absolute() or stated.startswith("/"):
        return stated
    forward = stated.replace("\\", "/")
    return (folder / forward).as_posix() if forward else ""


def _size(contents: Any) -> Sizes | None:
    """The size in the file; labelme before 3.5 wrote none."""
    height, width = contents.get("imageHeight"), contents.get("imageWidth")
    return None if height is None or width is None else Sizes(height, width)
