"""Answers questions with the ground truth, in place of an annotator."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.errors import BadImage
from scorer.files import replacing_path
from scorer.images.photograph import size
from scorer.labels import Click, Labels
from scorer.selection.exclusion import mask_name
from trainer import masks
from trainer.classes import Classes
from trainer.split import Split

Places = Mapping[str, Iterable[tuple[int, int]]]


def answer(split: Split, classes: Classes, asked: Places) -> Labels:
    """The class of every pixel asked, by image, in the order in which they were asked."""
    clicks = {}
    for name, places in asked.items():
        mask = masks.of(split, classes, name, size(split.images.image(name)))
        values = [(row, col, int(mask[row, col])) for row, col in places]
        clicks[name] = [Click(r, c, None if v == masks.IGNORE else v) for r, c, v in values]
    return Labels(clicks)


def added(before: Labels, more: Labels) -> Labels:
    """The labels of both."""
    names = {**before.clicks, **more.clicks}
    return Labels({name: [*before.of(name), *more.of(name)] for name in names})


def write_unknown(
    split: Split, classes: Classes, folder: Path
) -> tuple[int, list[tuple[str, str]]]:
    """Write a mask per image that marks pixels without ground truth by 255: they are never asked
    for.

    Existing masks are kept. Returns the number of pixels with ground truth, and the images whose
    ground truth cannot be read, with the reasons.
    """
    known = 0
    skipped = []
    for name in split.images.names:
        path = folder / mask_name(name)
        try:
            mask = masks.of(split, classes, name, size(split.images.image(name)))
        except BadImage as error:
            skipped.append((name, str(error)))
            continue
        unknown = mask == masks.IGNORE
        known += int((~unknown).sum())
        if path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_path(path, shared=True) as temporary:
            Image.fromarray(255 * unknown.astype(np.uint8)).save(temporary, format="PNG")
    return known, skipped
