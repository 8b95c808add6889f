"""CVAT for images 1.1, one XML file: https://docs.cvat.ai/docs/other/xml_format

A pixel is a point at its centre: x = col + 0.5, y = row + 0.5, in pixels. The class is the
attribute `class` of the only label, `unlabeled`; a label with the name of a class is accepted, too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from scorer.errors import BadLabels
from scorer.exchange.point import UNSURE_OR_SKIP, Point, clicked, within
from scorer.exchange.reading import Reading
from scorer.files import replacing
from scorer.labels.answer import UNLABELED

MAX_BYTES = 2**30
ATTRIBUTE = "class"
_REMEDY = "export the task as CVAT for images 1.1 and unpack annotations.xml"
_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, points: Sequence[Point], classes: Sequence[str]) -> None:
    """Write the annotations, and beside them <name>.labels.json for CVAT's raw label
    constructor.
    """
    check_texts((*classes, *(point.image for point in points)))
    with replacing(path.with_suffix(".labels.json")) as file:
        json.dump(specification(classes), file, indent=1)
    with replacing(path) as file:
        file.writelines(_lines(points, classes))


def check_texts(texts: Iterable[str]) -> None:
    """Raise BadLabels for characters that XML does not allow."""
    for text in texts:
        if _NOT_XML.search(text):
            raise BadLabels(f"{text!r} cannot be written in XML", remedy="rename it")


def specification(classes: Sequence[str]) -> list[dict[str, object]]:
    """The label of a CVAT project: points with a select of the possible answers."""
    attribute = {
        "name": ATTRIBUTE,
        "mutable": False,
        "input_type": "select",
        "default_value": UNLABELED,
        "values": [UNLABELED, *classes, *UNSURE_OR_SKIP],
    }
    return [{"name": UNLABELED, "type": "points", "attributes": [attribute]}]


def _meta(classes: Sequence[str]) -> Iterator[str]:
    """The label in the form of CVAT's tasks: CVAT does not read it, but datumaro needs it."""
    words = "\n".join(escape(word) for word in (UNLABELED, *classes, *UNSURE_OR_SKIP))
    yield "  <meta>\n    <task>\n      <mode>annotation</mode>\n      <labels><label>"
    yield f"<name>{UNLABELED}</name><type>points</type><attributes><attribute>"
    yield f"<name>{ATTRIBUTE}</name><mutable>False</mutable><input_type>select</input_type>"
    yield f"<default_value>{UNLABELED}</default_value>\n        <values>{words}</values>"
    yield "</attribute></attributes></label></labels>\n    </task>\n"
    yield "    <source>balentacq</source>\n  </meta>\n"


def _lines(points: Sequence[Point], classes: Sequence[str]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield from _meta(classes)
    by_image = groupby(points, lambda point: (point.image, point.height, point.width))
    for number, ((image, height, width), group) in enumerate(by_image):
        size = f'width="{width}" height="{height}"'
        yield f'  <image id="{number}" name={quoteattr(image)} {size}>\n'
        for point in group:
            place = f"{point.col + 0.5:.2f},{point.row + 0.5:.2f}"
            yield (
                f'    <points label="{UNLABELED}" source="manual" occluded="0"'
                f' points="{place}" z_order="0">\n'
                f'      <attribute name="{ATTRIBUTE}">{escape(point.word)}</attribute>\n'
                "    </points>\n"
            )
        yield "  </image>\n"
    yield "</annotations>\n"


def read(path: Path, _name: str, reading: Reading) -> list[Point]:
    """Read the points of a file written by CVAT or `write`, including those of skeletons. Other
    shapes are counted as skipped. Raises BadLabels.
    """
    if path.stat().st_size > MAX_BYTES:
        raise BadLabels(f"{path} is larger than 1 GiB", remedy="export fewer images at a time")
    with path.open("rb") as file:
        return _Reader(path, reading).parse(file)


class _Reader:
    """Parses a file in one pass; holds the current image and its current points."""

    def __init__(self, path: Path, reading: Reading) -> None:
        self._path = path
        self._reading = reading
        self._found: list[Point] = []
        self._open: list[str] = []
        self._image: Mapping[str, str] = {}
        self._points: Mapping[str, str] = {}
        self._attribute: str | None = None  # name of the current attribute
        self._text: list[str] = []  # text of the attribute `class`
        self._parser = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def parse(self, file: IO[bytes]) -> list[Point]:
        try:
            self._parser.ParseFile(file)
        except (expat.ExpatError, UnicodeError, ValueError, LookupError) as error:
            raise BadLabels(f"{self._path} cannot be read: {error}", remedy=_REMEDY) from error
        return self._found

    def _refuse(self, *_: object) -> None:
        raise BadLabels(f"{self._path} declares a DOCTYPE or an entity", remedy=_REMEDY)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != "annotations":
            raise BadLabels(f"{self._path} has <{name}>, not <annotations>", remedy=_REMEDY)
        self._open.append(name)
        if self._open == ["annotations", "image"]:
            self._image = attributes
        elif self._open == ["annotations", "track"]:
            raise BadLabels(f"{self._path} has tracks: it is of a video", remedy=_REMEDY)
        elif self._is_in_points():
            self._points, self._text = attributes, []
        elif self._is_in_points("attribute"):
            self._attribute = attributes.get("name")
        elif self._open == ["annotations", "image", name] and name != "skeleton":
            self._reading.pass_over(name)

    def _is_in_points(self, *below: str) -> bool:
        """Whether the current element is points of an image or a skeleton, or `below` in them."""
        inside = self._open[2:]
        if inside[:1] == ["skeleton"]:
            inside = inside[1:]
        return self._open[:2] == ["annotations", "image"] and inside == ["points", *below]

    def _characters(self, text: str) -> None:
        if self._attribute == ATTRIBUTE and self._is_in_points("attribute"):
            self._text.append(text)

    def _end(self, _: str) -> None:
        if self._is_in_points():
            image = self._image.get("name")
            line = self._parser.CurrentLineNumber
            with within(f"{self._path} line {line}, image {image}"):
                self._found.extend(self._made())
        self._open.pop()

    def _made(self) -> Iterator[Point]:
        """The points of the element that ends here."""
        if self._points.get("outside") == "1":
            self._reading.pass_over("point of a skeleton that lies outside of the image")
            return
        word = self._word()
        try:
            name = self._image["name"].removeprefix("./")
            height, width = int(self._image["height"]), int(self._image["width"])
            pairs = [pair.split(",") for pair in self._points["points"].split(";")]
            places = [(float(x), float(y)) for x, y in pairs]
        except KeyError as error:
            raise BadLabels(f"not as CVAT writes it: no {error.args[0]}", remedy=_REMEDY) from error
        except ValueError as error:
            raise BadLabels(f"not as CVAT writes it: {error}", remedy=_REMEDY) from error
        image = self._found_image(name)
        for x, y in places:
            yield clicked(
                x, y, image=image, height=height, width=width, word=word,
                classes=self._reading.classes,
            )  # fmt: skip

    def _found_image(self, name: str) -> str:
        """The image of this name or, in a project with subsets, in the folder of its subset."""
        catalogue, subset = self._reading.catalogue, self._image.get("subset", "")
        inside = f"{subset}/{name}"
        if name not in catalogue.names and inside in catalogue.names:
            return self._reading.image(inside, part=self._part())
        return self._reading.image(name, part=self._part())

    def _part(self) -> str:
        said = [(key, self._image.get(key)) for key in ("task_id", "subset")]
        return ", ".join(f"{key} {value}" for key, value in said if value)

    def _word(self) -> str:
        """The class in the attribute or, if it has none, in the label. Raises BadLabels if both
        differ.
        """
        words = {"".join(self._text) or UNLABELED, self._points.get("label", UNLABELED)}
        answered = words - {UNLABELED}
        if len(answered) > 1:
            raise BadLabels(
                f"a point is {' and '.join(sorted(answered))}", remedy="choose one of the two"
            )
        return answered.pop() if answered else UNLABELED
