"""labelme: one JSON file beside each image. https://github.com/wkentaro/labelme

A pixel is a point in its middle: x = col + 0.5, y = row + 0.5, in pixels.
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

VERSION = "5.5.0"  # of labelme, whose files these are like
_REMEDY = "labelme writes one JSON file per image; give their folder"


def file_name(image: str) -> str:
    """Where the points of an image lie: the same path, with .json."""
    return PurePosixPath(image).with_suffix(".json").as_posix()


def write(folder: Path, points: Sequence[Point], _classes: Sequence[str]) -> None:
    """One file per image, in folders as the images are."""
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
    """The points of a file; name: its path below the folder. Other shapes are passed over, and so
    are files that other programs wrote.
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
    if kind is None:  # as labelme 3 wrote it: what has one point is one
        kind = "point" if len(shape["points"]) == 1 else "polygon"
    if kind != "point":
        reading.pass_over(str(kind))
    return str(kind) == "point"


def _path(stated: str, folder: PurePosixPath) -> str:
    """Of an image, from the folder that was given on; `stated` starts from that of the file, and
    may be of Windows.
    """
    if PureWindowsPath(stated).is_absolute() or stated.startswith("/"):
        return stated
    forward = stated.replace("\\", "/")
    return (folder / forward).as_posix() if forward else ""


def _size(contents: Any) -> Sizes | None:
    """What the file says; labelme wrote none before version 3.5."""
    height, width = contents.get("imageHeight"), contents.get("imageWidth")
    return None if height is None or width is None else Sizes(height, width)
