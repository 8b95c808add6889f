"""Drafts in CVAT for images 1.1: https://docs.cvat.ai/docs/other/xml_format

A mask consists of the run lengths of its bounding box, row by row; a polygon is an outer outline
alone, and what lies in its holes has a higher z_order. Each class is a label, with the checkbox
`review` and the text `score`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from scorer.errors import BadLabels
from scorer.exchange import cvat
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import region, run_lengths
from scorer.exchange.drafts.outline import Ring
from scorer.exchange.drafts.region import Picture, Region
from scorer.exchange.point import within
from scorer.files import replacing
from scorer.images.colours import default_colours, hexadecimal
from scorer.labels.answer import UNLABELED

_REMEDY = "export the task as CVAT for images 1.1 and unpack annotations.xml"
_CHUNK = 2**20  # bytes
_SHAPES = ("mask", "polygon")


def write(path: Path, pictures: Iterable[Picture], classes: Sequence[str]) -> None:
    """Write the drafts, and beside them <name>.labels.json for CVAT's raw label constructor."""
    cvat.check_texts(classes)
    with replacing(path.with_suffix(".labels.json")) as file:
        json.dump(specification(classes), file, indent=1)
    with replacing(path) as file:
        file.writelines(_head(classes))
        for number, picture in enumerate(pictures):
            cvat.check_texts([picture.image])
            file.writelines(_image(number, picture))
        file.write("</annotations>\n")


def _head(classes: Sequence[str]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield "  <meta>\n    <task>\n      <mode>annotation</mode>\n      <labels>\n"
    for label in specification(classes):
        yield f"        <label><name>{escape(label['name'])}</name><color>{label['color']}</color>"
        yield f"<type>{label['type']}</type><attributes>"
        for own in label["attributes"]:
            yield f"<attribute><name>{own['name']}</name><mutable>False</mutable>"
            yield f"<input_type>{own['input_type']}</input_type>"
            yield f"<default_value>{own['default_value']}</default_value>"
            yield f"<values>{own['default_value']}</values></attribute>"
        yield "</attributes></label>\n"
    yield "      </labels>\n    </task>\n    <source>balentacq</source>\n  </meta>\n"


def specification(classes: Sequence[str]) -> list[dict[str, Any]]:
    """The labels of a CVAT project: the classes, and `unlabeled` for unknown pixels."""
    review = {
        "name": "review",
        "mutable": False,
        "input_type": "checkbox",
        "default_value": "false",
        "values": ["false"],
    }
    score = review | {"name": "score", "input_type": "text", "default_value": "", "values": [""]}
    words = (*classes, UNLABELED)
    return [
        {"name": word, "color": hexadecimal(colour), "type": "any", "attributes": [review, score]}
        for word, colour in zip(words, default_colours(len(words)), strict=True)
    ]


def _image(number: int, picture: Picture) -> Iterator[str]:
    size = f'width="{picture.width}" height="{picture.height}"'
    yield f'  <image id="{number}" name={quoteattr(picture.image)} {size}>\n'
    for order, one in enumerate(picture.regions):
        kind, place = ("polygon", _points(one)) if one.rings else ("mask", _mask(one))
        yield f'    <{kind} label={quoteattr(one.word)} source="auto" occluded="0" {place}'
        yield f' z_order="{order}">\n'
        yield f'      <attribute name="review">{"true" if one.review else "false"}</attribute>\n'
        if one.score is not None:
            yield f'      <attribute name="score">{one.score:.3f}</attribute>\n'
        yield f"    </{kind}>\n"
    yield "  </image>\n"


def _points(one: Region) -> str:
    return 'points="' + ";".join(f"{x:.2f},{y:.2f}" for x, y in one.rings[0]) + '"'


def _mask(one: Region) -> str:
    lengths = ", ".join(map(str, run_lengths.counts(one.patch.ravel())))
    height, width = one.patch.shape
    place = f'left="{one.left}" top="{one.top}" width="{width}" height="{height}"'
    return f'rle="{lengths}" {place}'


@dataclass
class _Shape:
    """An element of an image: its XML attributes, and the attributes of its label."""

    kind: str
    given: Mapping[str, str]
    own: dict[str, str] = field(default_factory=dict)


def read(path: Path, _name: str, catalogue: Catalogue) -> Iterator[Picture]:
    """Yield the masks and polygons of a file written by CVAT or `write`, image by image.

    Raises BadLabels.
    """
    if path.stat().st_size > cvat.MAX_BYTES:
        raise BadLabels(f"{path} is larger than 1 GiB", remedy="export fewer images at a time")
    reader = _Reader(path)
    for image, shapes in reader.images():
        with within(f"{path}, image {image.get('name')}"):
            try:
                found = _picture(image, shapes, catalogue)
            except (KeyError, ValueError) as error:
                raise BadLabels(f"not as CVAT writes it: {error!r}", remedy=_REMEDY) from error
        yield found


def _picture(image: Mapping[str, str], shapes: list[_Shape], catalogue: Catalogue) -> Picture:
    name = catalogue.find(image["name"].removeprefix("./"))
    size = region.check_size(catalogue, name, (int(image["height"]), int(image["width"])))
    drawn = [shape for shape in shapes if shape.kind in _SHAPES]
    drawn.sort(key=lambda shape: int(shape.given.get("z_order", 0)))
    return Picture(
        image=name,
        height=size[0],
        width=size[1],
        regions=[_region(shape, size, catalogue.classes) for shape in drawn],
        passed_over=[shape.kind for shape in shapes if shape.kind not in _SHAPES],
    )


def _region(shape: _Shape, size: tuple[int, int], classes: Sequence[str]) -> Region:
    given, review = shape.given, shape.own.get("review", "").strip().lower() == "true"
    word = region.check_word(given["label"], classes)
    if shape.kind == "polygon":
        corners = [tuple(map(float, pair.split(","))) for pair in given["points"].split(";")]
        ring: Ring = np.array(corners, float).reshape(-1, 2)
        return region.of_rings(word, [ring], size, review=review)
    height, width = int(given["height"]), int(given["width"])
    lengths = [int(count) for count in given["rle"].split(",")]
    if not 0 < height * width <= size[0] * size[1]:
        raise ValueError(f"a mask of {height}x{width} pixels")
    patch = run_lengths.flat(lengths, height * width).reshape(height, width)
    corner = int(given["top"]), int(given["left"])
    return region.of_patch(word, patch, corner, size, review=review)


class _Reader:
    """Parses a file in one pass; holds the current image, and finished images that are not yet
    taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[str] = []
        self._shapes: list[_Shape] = []
        self._image: Mapping[str, str] = {}
        self._attribute: str | None = None  # name of the current attribute
        self._read: list[tuple[Mapping[str, str], list[_Shape]]] = []
        self._parser = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def images(self) -> Iterator[tuple[Mapping[str, str], list[_Shape]]]:
        """Yield the attributes of every image, and its shapes."""
        with self._path.open("rb") as file:
            more = True
            while more:
                chunk = file.read(_CHUNK)
                more = bool(chunk)
                try:
                    self._parser.Parse(chunk, not more)
                except (expat.ExpatError, UnicodeError, ValueError, LookupError) as error:
                    raise BadLabels(
                        f"{self._path} cannot be read: {error}", remedy=_REMEDY
                    ) from error
                yield from self._read
                self._read = []

    def _refuse(self, *_: object) -> NoReturn:
        raise BadLabels(f"{self._path} declares a DOCTYPE or an entity", remedy=_REMEDY)

    def _start(self, name: str, given: dict[str, str]) -> None:
        if not self._open and name != "annotations":
            raise BadLabels(f"{self._path} has <{name}>, not <annotations>", remedy=_REMEDY)
        self._open.append(name)
        if self._open == ["annotations", "track"]:
            raise BadLabels(f"{self._path} has tracks: it is of a video", remedy=_REMEDY)
        if self._open == ["annotations", "image"]:
            self._image, self._shapes = given, []
        elif self._open[:2] == ["annotations", "image"] and len(self._open) == 3:
            self._shapes.append(_Shape(name, given))
        elif self._open[3:] == ["attribute"]:
            self._attribute = given.get("name", "")
            self._shapes[-1].own[self._attribute] = ""

    def _characters(self, text: str) -> None:
        if self._open[3:] == ["attribute"] and self._attribute is not None:
            self._shapes[-1].own[self._attribute] += text

    def _end(self, _: str) -> None:
        if self._open == ["annotations", "image"]:
            self._read.append((self._image, self._shapes))
        elif self._open[3:] == ["attribute"]:
            self._attribute = None
        self._open.pop()
