"""Imports masks that annotators corrected or drew, into a folder."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from scorer.errors import BadLabels
from scorer.exchange import places
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts.formats import FORMATS
from scorer.exchange.drafts.partition import Mask
from scorer.exchange.drafts.region import Picture
from scorer.exchange.point import within
from scorer.files import cannot_write, replacing_path
from scorer.images.colours import default_colours
from scorer.images.indexed import UNKNOWN, picture
from scorer.labels.answer import UNLABELED
from scorer.selection.exclusion import mask_name


@dataclass
class Corrected:
    """Summary of an import: masks, their labelled pixels and all pixels; regions still marked for
    review; images without regions; shapes without an area, counted by kind.
    """

    masks: int = 0
    labelled: int = 0
    pixels: int = 0
    review: int = 0
    empty: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def take(
    path: Path, kind: str, out: Path, catalogue: Catalogue, *, without_review: bool = False
) -> Corrected:
    """Write the masks in a tool's file or folder into the folder `out`: all or, on any error, none.

    A mask is a PNG of class indices at the size of its image in the pool, 255 where nothing or
    `unlabeled` is drawn. without_review: regions still marked for review stay unlabelled. Raises
    BadLabels, CannotWrite.
    """
    done = Corrected()
    with cannot_write(out):
        out.mkdir(parents=True, exist_ok=True)
        staged = Path(mkdtemp(prefix=".", suffix=".tmp", dir=out))
    try:
        names = []
        for found in _pictures(path, kind, catalogue):
            name = mask_name(found.image)
            places.check_free(out, [name])
            if _write(staged / name, found, catalogue, done, without_review=without_review):
                names.append(name)
        if not names:
            raise BadLabels(
                f"{path}: nothing is drawn on any of {len(done.empty)} images",
                remedy="in Label Studio, predictions count when somebody has submitted them",
            )
        with cannot_write(out):
            for name in names:
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (staged / name).replace(out / name)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return done


def _pictures(path: Path, kind: str, catalogue: Catalogue) -> Iterator[Picture]:
    """Yield the images of every file. Raises BadLabels where an image or a mask occurs twice."""
    form, seen = FORMATS[kind], dict[str, tuple[str, Path]]()
    for file, name in places.files(path, form.suffix):
        for found in form.read(file, name, catalogue):
            mask = mask_name(found.image)
            if mask in seen:
                image, other = seen[mask]
                raise BadLabels(
                    f"{image} of {other} and {found.image} of {file} would have one mask",
                    remedy="keep one of the two",
                )
            seen[mask] = found.image, file
            yield found


def _write(
    path: Path, found: Picture, catalogue: Catalogue, done: Corrected, *, without_review: bool
) -> bool:
    """Write the mask of an image if anything is labelled; returns whether it is."""
    with within(found.image):
        mask = _drawn(found, catalogue, without_review=without_review)
    done.passed_over.update(found.passed_over)
    done.review += sum(one.review for one in found.regions)
    labelled = int((mask != UNKNOWN).sum())
    if not labelled:
        done.empty.append(found.image)
        return False
    done.masks += 1
    done.labelled += labelled
    done.pixels += mask.size
    with replacing_path(path) as temporary:
        picture(mask, default_colours(len(catalogue.classes))).save(temporary, format="PNG")
    return True


def _drawn(found: Picture, catalogue: Catalogue, *, without_review: bool) -> Mask:
    mask = np.full((found.height, found.width), UNKNOWN, np.uint8)
    for one in found.regions:
        unknown = one.word == UNLABELED or (without_review and one.review)
        value = UNKNOWN if unknown else catalogue.classes.index(one.word)
        rows, cols = one.patch.shape
        mask[one.top : one.top + rows, one.left : one.left + cols][one.patch] = value
    return mask
