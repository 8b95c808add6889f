"""Drafts in labelme, one JSON file per image: https://github.com/wkentaro/labelme

A polygon is an outer outline alone; what lies in its holes follows and is drawn over it, as labelme
does. A mask (since labelme 5.3) is a PNG of its bounding box. The flag `review` marks uncertain
regions, and the description contains the score.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from scorer.errors import BadLabels
from scorer.exchange import json_file
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import region
from scorer.exchange.drafts.outline import Ring
from scorer.exchange.drafts.region import Patch, Picture, Region
from scorer.exchange.labelme import VERSION, file_name
from scorer.exchange.point import check_name, within
from scorer.files import replacing

_KINDS = ("mask", "polygon")
_REMEDY = "labelme writes one JSON file per image; give their folder"


def write(folder: Path, pictures: Iterable[Picture], _classes: Sequence[str]) -> None:
    """Write one file per image, in the folder structure of the images."""
    for picture in pictures:
        with replacing(folder / file_name(picture.image)) as file:
            json.dump(_contents(picture), file, indent=2)


def _contents(picture: Picture) -> dict[str, object]:
    return {
        "version": VERSION,
        "flags": {"review": any(one.review for one in picture.regions)},
        "shapes": [_shape(one) for one in picture.regions],
        "imagePath": PurePosixPath(picture.image).name,
        "imageData": None,
        "imageHeight": picture.height,
        "imageWidth": picture.width,
    }


def _shape(one: Region) -> dict[str, object]:
    height, width = one.patch.shape
    last = [one.left + width - 1, one.top + height - 1]
    return {
        "label": one.word,
        "points": one.rings[0].tolist() if one.rings else [[one.left, one.top], last],
        "group_id": None,
        "description": "" if one.score is None else f"score {one.score:.3f}",
        "shape_type": "polygon" if one.rings else "mask",
        "flags": {"review": one.review},
        "mask": None if one.rings else _packed(one.patch),
    }


def _packed(patch: Patch) -> str:
    file = BytesIO()
    Image.fromarray(patch.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def read(path: Path, name: str, catalogue: Catalogue) -> Iterator[Picture]:
    """Yield the masks and polygons of a file; name: its path below the folder. Raises BadLabels."""
    contents = json_file.read(path, _REMEDY)
    with within(str(path)):
        try:
            found = _picture(contents, PurePosixPath(name).parent, catalogue)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise BadLabels(f"not as labelme writes it: {error!r}", remedy=_REMEDY) from error
    yield found


def _picture(contents: Any, folder: PurePosixPath, catalogue: Catalogue) -> Picture:
    image = contents["imagePath"]
    check_name(image)
    name = catalogue.find((folder / image).as_posix())
    stated = contents["imageHeight"], contents["imageWidth"]
    size = region.check_size(catalogue, name, stated)
    shapes = contents["shapes"]
    drawn = [shape for shape in shapes if shape["shape_type"] in _KINDS]
    return Picture(
        image=name,
        height=size[0],
        width=size[1],
        regions=[_region(shape, size, catalogue.classes) for shape in drawn],
        passed_over=[shape["shape_type"] for shape in shapes if shape["shape_type"] not in _KINDS],
    )


def _region(shape: Any, size: tuple[int, int], classes: Sequence[str]) -> Region:
    word = region.check_word(shape["label"], classes)
    review = (shape.get("flags") or {}).get("review") is True
    corners: Ring = np.array(shape["points"], float).reshape(-1, 2)
    if shape["shape_type"] == "polygon":
        return region.of_rings(word, [corners], size, review=review)
    (left, top), (right, bottom) = corners.astype(int).tolist()
    sides = (bottom - top + 1, right - left + 1)
    region.check_inside(word, (top, left), sides, size)
    patch = _unpacked(shape["mask"], sides)
    return region.of_patch(word, patch, (top, left), size, review=review)


def _unpacked(text: str, size: tuple[int, int]) -> Patch:
    try:
        content = base64.b64decode(text, validate=True)
        with Image.open(BytesIO(content), formats=("PNG",)) as image:
            if (image.height, image.width) != size:
                raise ValueError(f"a mask of {image.height}x{image.width}, its box is {size}")
            patch: Patch = np.asarray(image.convert("L")) != 0
            return patch
    except (binascii.Error, OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"a mask that is no PNG: {error}") from error
