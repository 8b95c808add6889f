"""Drafts in Label Studio: predictions of brush strokes or polygons, which annotators correct.

https://labelstud.io/guide/task_format, tags/brushlabels, tags/polygonlabels. Corners are in per
cent of the image. A polygon is an outer outline alone; what lies in its holes follows it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from scorer.errors import BadLabels
from scorer.exchange import json_file, label_studio_address
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import brush, region
from scorer.exchange.drafts.outline import Ring
from scorer.exchange.drafts.region import Picture, Region
from scorer.exchange.label_studio import address
from scorer.exchange.point import within
from scorer.exchange.reading import Reading
from scorer.files import replacing
from scorer.images.colours import default_colours, hexadecimal
from scorer.labels.answer import UNLABELED

BRUSH, POLYGON = _KINDS = ("brushlabels", "polygonlabels")
REVIEW = "review"
_TAGS = {BRUSH: "BrushLabels", POLYGON: "PolygonLabels"}
_NAMES = {BRUSH: "mask", POLYGON: "polygon"}
_DIGITS = 6  # of a pixel: corners on the pixel grid are restored exactly
_REMEDY = "export the project of Label Studio as JSON, not as JSON-MIN or CSV"


def write(path: Path, pictures: Iterable[Picture], classes: Sequence[str]) -> None:
    """Write the tasks, and beside them <name>.config.xml, the labelling interface of the
    project.
    """
    with replacing(path.with_suffix(".config.xml")) as file:
        file.writelines(_config(classes))
    with replacing(path) as file:
        for number, picture in enumerate(pictures):
            file.write("[\n" if number == 0 else ",\n")
            json.dump(_task(picture), file)
        file.write("\n]\n")


def _config(classes: Sequence[str]) -> Iterator[str]:
    yield '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
    for kind in _KINDS:
        yield f'  <{_TAGS[kind]} name="{_NAMES[kind]}" toName="image">\n'
        words = (*classes, UNLABELED)
        for word, colour in zip(words, default_colours(len(words)), strict=True):
            yield f'    <Label value={quoteattr(word)} background="{hexadecimal(colour)}"/>\n'
        yield f"  </{_TAGS[kind]}>\n"
    yield "</View>\n"


def _task(picture: Picture) -> dict[str, object]:
    results = [_result(number, one, picture) for number, one in enumerate(picture.regions)]
    prediction: dict[str, object] = {"model_version": "balentacq", "result": results}
    if picture.score is not None:
        prediction["score"] = round(picture.score, 4)
    marked = sum(one.review for one in picture.regions)
    data = {"image": address(picture.image), "name": picture.image, REVIEW: marked}
    return {"data": data, "predictions": [prediction]}


def _result(number: int, one: Region, picture: Picture) -> dict[str, object]:
    kind = POLYGON if one.rings else BRUSH
    value: dict[str, object] = {kind: [one.word]}
    if one.rings:
        corners = one.rings[0] / (picture.width, picture.height) * 100
        value |= {"points": corners.tolist(), "closed": True}
    else:
        whole = one.on(picture.height, picture.width)
        value |= {"format": "rle", "rle": brush.encode(whole)}
    marks: dict[str, object] = {"meta": {"text": [REVIEW]}} if one.review else {}
    if one.score is not None:
        marks["score"] = round(one.score, 4)
    return {
        "id": f"region-{number}",
        "type": kind,
        "from_name": _NAMES[kind],
        "to_name": "image",
        "original_width": picture.width,
        "original_height": picture.height,
        "image_rotation": 0,
        "value": value,
        **marks,
    }


def read(path: Path, _name: str, catalogue: Catalogue) -> Iterator[Picture]:
    """Yield the submitted annotations of every task; uncorrected predictions do not count.

    Raises BadLabels.
    """
    tasks = json_file.read(path, _REMEDY)
    if not isinstance(tasks, list):
        raise BadLabels(f"{path} is not a list of tasks", remedy=_REMEDY)
    for number, task in enumerate(tasks, 1):
        with within(f"{path} task {number}"):
            try:
                found = _picture(task, catalogue)
            except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
                raise BadLabels(
                    f"not as Label Studio writes it: {error!r}", remedy=_REMEDY
                ) from error
        yield found


def _picture(task: Any, catalogue: Catalogue) -> Picture:
    """The regions of submitted annotations; later ones are drawn over earlier ones."""
    given = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    results = [result for one in given for result in one["result"]]
    names = label_studio_address.images(task["data"], Reading(catalogue))
    if len(names) != 1:
        raise BadLabels(f"a task has {len(names)} images", remedy="give every task one image")
    (image,) = names
    drawn = [result for result in results if result.get("type") in _KINDS]
    sizes = {(one["original_height"], one["original_width"]) for one in drawn}
    if len(sizes) > 1:
        raise BadLabels(
            f"{image} is of several sizes: {sorted(sizes)}",
            remedy="correct the file, or export it from the tool again",
        )
    known = catalogue.size(image)
    stated = sizes.pop() if sizes else (known.height, known.width)
    size = region.check_size(catalogue, image, stated)
    return Picture(
        image=image,
        height=size[0],
        width=size[1],
        regions=[_region(one, image, size, catalogue.classes) for one in drawn],
        passed_over=[str(one.get("type")) for one in results if one.get("type") not in _KINDS],
    )


def _region(
    result: Mapping[str, Any], image: str, size: tuple[int, int], classes: Sequence[str]
) -> Region:
    if result.get("image_rotation"):
        raise BadLabels(f"{image} was turned", remedy="turn it back in Label Studio and export")
    kind, value = result["type"], result["value"]
    words = value[kind]
    if len(words) != 1:
        raise BadLabels(f"{image}: a region has {len(words)} labels", remedy="choose one")
    word = region.check_word(words[0], classes)
    review = REVIEW in ((result.get("meta") or {}).get("text") or ())
    if kind == BRUSH:
        patch = brush.decode(value["rle"], *size)
        return region.of_patch(word, patch, (0, 0), size, review=review)
    corners: Ring = np.array(value["points"], float).reshape(-1, 2)
    corners = np.round(corners / 100 * (size[1], size[0]), _DIGITS)
    return region.of_rings(word, [corners], size, review=review)
