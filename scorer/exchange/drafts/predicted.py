"""Exports a folder of predicted masks as drafts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scorer.errors import BadInput, BadLabels
from scorer.exchange import masks, places
from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts.drafting import UNKNOWN, Manner, drawn
from scorer.exchange.drafts.formats import FORMATS
from scorer.exchange.drafts.partition import Mask
from scorer.exchange.drafts.region import Picture
from scorer.exchange.point import check_words, within
from scorer.pools import Index
from scorer.ranking import mask_table
from scorer.selection.exclusion import mask_name


@dataclass(frozen=True, kw_only=True)
class Source:
    """Folders of masks and, optionally, of their confidences; pool: gives the image names if the
    folder has no masks.csv.
    """

    masks: Path
    confidence: Path | None = None
    pool: Index | None = None


@dataclass
class Drafted:
    """Summary of an export: images and regions; regions marked for review; merged islands; images
    of masks.csv without a mask.
    """

    images: int = 0
    regions: int = 0
    review: int = 0
    islands: int = 0
    without: list[str] = field(default_factory=list)


def write(path: Path, source: Source, classes: Sequence[str], kind: str, manner: Manner) -> Drafted:
    """Write the drafts of all masks of a folder. Raises BadLabels, BadInput, CannotWrite."""
    check_words(classes)
    done, form = Drafted(), FORMATS[kind]
    named = dict(_named(source, classes, done))
    places.check(path, kind, form.suffix, form.file_name, set(named))
    if not named:
        raise BadInput(f"{source.masks} holds no masks", remedy="scorer segment makes them")
    form.write(path, _pictures(named, source, classes, manner, done), classes)
    return done


def _named(source: Source, classes: Sequence[str], done: Drafted) -> Iterator[tuple[str, Path]]:
    """Yield images and their masks, from masks.csv or, without it, by the names in the pool."""
    table = source.masks / mask_table.NAME
    if table.is_file():
        for row in mask_table.read(table):
            if row.reason:
                done.without.append(row.image)
            else:
                yield row.image, source.masks / mask_name(row.image)
        return
    if not source.masks.is_dir():
        raise BadInput(f"{source.masks} is not a folder", remedy="give --draft a folder of masks")
    if source.pool is None:
        raise BadInput(
            f"{source.masks} has no {mask_table.NAME}, which names the images of the masks",
            remedy="give the --pool of the images",
        )
    catalogue = Catalogue(tuple(classes), {}, source.pool)
    for file in sorted(source.masks.rglob("*.png")):
        yield catalogue.of_mask(file.relative_to(source.masks).as_posix()), file


def _pictures(
    named: dict[str, Path],
    source: Source,
    classes: Sequence[str],
    manner: Manner,
    done: Drafted,
) -> Iterator[Picture]:
    for image, path in sorted(named.items()):
        mask = _mask(path, classes)
        picture, islands = drawn(image, mask, _confidence(source, image, mask), classes, manner)
        done.images += 1
        done.regions += len(picture.regions)
        done.review += sum(one.review for one in picture.regions)
        done.islands += islands
        yield picture


def _mask(path: Path, classes: Sequence[str]) -> Mask:
    with within(str(path)):
        mask: Mask = masks.decoded(path)
        found = np.flatnonzero(np.bincount(mask.ravel(), minlength=UNKNOWN + 1)[:UNKNOWN])
        if len(found) and found[-1] >= len(classes):
            raise BadLabels(
                f"the value {found[-1]} is no class of {len(classes)}",
                remedy="give the --graph, or the --labels, of the network that made the masks",
            )
        return mask


def _confidence(source: Source, image: str, mask: Mask) -> Mask | None:
    if source.confidence is None:
        return None
    path = source.confidence / mask_name(image)
    with within(str(path)):
        found: Mask = masks.decoded(path)
        if found.shape != mask.shape:
            raise BadLabels(
                f"{found.shape[0]}x{found.shape[1]}, and the mask {mask.shape[0]}x{mask.shape[1]}",
                remedy="give the confidences that were written with the masks",
            )
        return found
