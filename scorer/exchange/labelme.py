"""labelme: one JSON file beside each image. https://github.com/wkentaro/labelme

A pixel is a point in its middle: x = col + 0.5, y = row + 0.5, in pixels.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from scorer.errors import BadLabels
from scorer.exchange import json_file
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.point import Point, check_name, clicked, within
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


def read(path: Path, name: str, catalogue: Catalogue) -> list[Point]:
    """The points of a file; name: its path below the folder. Other shapes are passed over."""
    contents = json_file.read(path, _REMEDY)
    with within(str(path)):
        try:
            return list(_points(contents, PurePosixPath(name).parent, catalogue))
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(f"not as labelme writes it: {error!r}", remedy=_REMEDY) from error


def _points(contents: Any, folder: PurePosixPath, catalogue: Catalogue) -> Iterator[Point]:
    image = contents["imagePath"]
    check_name(image)
    image = (folder / image).as_posix()
    height, width = contents["imageHeight"], contents["imageWidth"]
    for shape in contents["shapes"]:
        if shape["shape_type"] != "point":
            continue
        ((x, y),) = shape["points"]
        word, classes = shape["label"], catalogue.classes
        yield clicked(x, y, image=image, height=height, width=width, word=word, classes=classes)
