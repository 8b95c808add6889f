"""Drafts in COCO, one JSON file: https://cocodataset.org/#format-data

Run lengths are COCO's text, column by column. COCO's polygons have no holes, so that a region with
holes is always run-length encoded. `score` is as in COCO's results, `attributes` as CVAT exports.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scorer.errors import BadLabels
from scorer.exchange import json_file
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import region, run_lengths
from scorer.exchange.drafts.outline import Ring
from scorer.exchange.drafts.region import Picture, Region
from scorer.exchange.point import within
from scorer.files import replacing
from scorer.labels.answer import UNLABELED

_REMEDY = "give a COCO file of instances: images, categories, and annotations with a segmentation"


def write(path: Path, pictures: Iterable[Picture], classes: Sequence[str]) -> None:
    """Write one file; the category of a class is its index plus 1, and `unlabeled` is the last
    one.
    """
    words = (*classes, UNLABELED)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, picture in enumerate(pictures, 1):
        size = {"width": picture.width, "height": picture.height}
        images.append({"id": number, "file_name": picture.image, **size})
        for one in picture.regions:
            found = _annotation(one, (picture.height, picture.width), words)
            annotations.append({"id": len(annotations) + 1, "image_id": number, **found})
    categories = [
        {"id": number, "name": word, "supercategory": ""} for number, word in enumerate(words, 1)
    ]
    with replacing(path) as file:
        json.dump(
            {
                "info": {"description": "drafts of balentacq"},
                "licenses": [],
                "images": images,
                "categories": categories,
                "annotations": annotations,
            },
            file,
        )


def _annotation(one: Region, size: tuple[int, int], words: Sequence[str]) -> dict[str, object]:
    height, width = one.patch.shape
    found: dict[str, object] = {
        "category_id": words.index(one.word) + 1,
        "segmentation": _segmentation(one, size),
        "area": one.area,
        "bbox": [one.left, one.top, width, height],
        "iscrowd": 0,
        "attributes": {"review": one.review},
    }
    return found if one.score is None else found | {"score": round(one.score, 4)}


def _segmentation(one: Region, size: tuple[int, int]) -> object:
    if len(one.rings) == 1:
        return [one.rings[0].ravel().tolist()]
    lengths = run_lengths.counts(one.on(*size).T.ravel())
    return {"size": list(size), "counts": run_lengths.to_text(lengths)}


def read(path: Path, _name: str, catalogue: Catalogue) -> Iterator[Picture]:
    """Yield the annotations of every image, in order. Raises BadLabels."""
    contents = json_file.read(path, _REMEDY)
    with within(str(path)):
        try:
            yield from _pictures(contents, catalogue)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(f"not as COCO has it: {error!r}", remedy=_REMEDY) from error


def _pictures(contents: Any, catalogue: Catalogue) -> Iterator[Picture]:
    words = {one["id"]: one["name"] for one in contents["categories"]}
    of_image = defaultdict(list)
    for one in contents["annotations"]:
        of_image[one["image_id"]].append(one)
    for image in contents["images"]:
        found = of_image.pop(image["id"], [])
        with within(f"image {image['file_name']}"):
            name = catalogue.find(image["file_name"])
            size = region.check_size(catalogue, name, (image["height"], image["width"]))
            yield Picture(
                image=name,
                height=size[0],
                width=size[1],
                regions=[
                    _region(one, words, size, catalogue.classes)
                    for one in found
                    if one.get("segmentation")
                ],
                passed_over=["a box alone" for one in found if not one.get("segmentation")],
            )
    if of_image:
        raise BadLabels(f"{len(of_image)} annotated images are not listed", remedy=_REMEDY)


def _region(
    one: Mapping[str, Any],
    words: Mapping[int, str],
    size: tuple[int, int],
    classes: Sequence[str],
) -> Region:
    review = (one.get("attributes") or {}).get("review") is True
    word = region.check_word(words.get(one["category_id"]), classes)
    drawn = one["segmentation"]
    if isinstance(drawn, dict):
        if tuple(drawn["size"]) != size:
            raise BadLabels(
                f"a mask of {drawn['size']} in an image of {list(size)}",
                remedy="correct the file, or export it from the tool again",
            )
        counts = drawn["counts"]
        lengths = run_lengths.from_text(counts) if isinstance(counts, str) else counts
        patch = run_lengths.flat(lengths, size[0] * size[1]).reshape(size[::-1]).T
        return region.of_patch(word, patch, (0, 0), size, review=review)
    patch = np.zeros(size, bool)
    for corners in drawn:  # the union of all polygons, which may overlap
        ring: Ring = np.array(corners, float).reshape(-1, 2)
        patch |= region.of_rings(word, [ring], size, review=review).on(*size)
    return region.of_patch(word, patch, (0, 0), size, review=review)
