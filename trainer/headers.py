"""Reads the headers of images and masks: sizes, unreadable images, and masks of another size than
their image.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.console import quantity
from scorer.errors import BadDataset, BadImage
from scorer.images.encoded import Encoded
from scorer.images.photograph import size
from scorer.pools import Index
from scorer.pools.index import folder_of
from trainer.split import Split

LOOKED_AT = 200  # number of files that are opened to find sizes and classes
MOST = 2000  # number of files of a folder whose headers are read


@dataclass(frozen=True)
class Sizes:
    """Sizes of images: the most common (height, width), and the numbers of different sizes and of
    images examined; unreadable: number of images by reason, with an example for each.
    """

    commonest: tuple[int, int]
    different: int
    looked_at: int
    unreadable: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> int:
        """Number of unreadable images."""
        return self.unreadable.total()

    def __str__(self) -> str:
        height, width = self.commonest
        words = f"{height}x{width}"
        if self.different > 1:
            words = f"{self.different} sizes, most {words}"
        return words + (f", {self.broken} unreadable" if self.broken else "")

    def findings(self) -> list[str]:
        """A line for each reason why images are unreadable."""
        return [
            f"  cannot be read: {quantity(count, 'image')}, {reason}, such as "
            f"{self.examples[reason]}"
            for reason, count in self.unreadable.most_common()
        ]


def sample(names: Sequence[str]) -> Sequence[str]:
    """The names to examine: the first LOOKED_AT and, of the rest, evenly spread ones up to MOST."""
    if len(names) <= MOST:
        return names
    others = np.linspace(LOOKED_AT, len(names) - 1, MOST - LOOKED_AT).astype(int)
    return [*names[:LOOKED_AT], *(names[int(index)] for index in others)]


def looked_at(pool: Index) -> Sequence[str]:
    """The images to examine; only the first of a remote pool, as each is fetched whole."""
    return pool.names[:LOOKED_AT] if folder_of(pool) is None else sample(pool.names)


def share(looked_at: int, total: int) -> list[str]:
    """A line that says how many images were examined, if not all."""
    return [f"  looked at: {looked_at} of these {total}"] if looked_at < total else []


def sizes(pool: Index, names: Sequence[str]) -> Sizes:
    """Read the headers of these images. Raises BadDataset if none of them can be read."""
    seen: Counter[tuple[int, int]] = Counter()
    broken: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for name in names:
        try:
            seen[size(pool.image(name))] += 1
        except BadImage as error:
            broken[error.reason] += 1
            examples.setdefault(error.reason, name)
    if not seen:
        reasons = ", ".join(f"{why} ({count})" for why, count in broken.most_common())
        raise BadDataset(
            f"none of the {len(names)} images looked at in {pool.where} can be read: {reasons}",
            remedy="images are JPEG, PNG, BMP, TIFF, WebP, AVIF or JPEG 2000 files",
        )
    return Sizes(seen.most_common(1)[0][0], len(seen), len(names), broken, examples)


def misfits(split: Split, names: Sequence[str]) -> Iterator[str]:
    """Yield why masks of these images cannot be used, as far as their headers show it."""
    for name in names:
        path = split.mask(name)
        if path is None or not path.is_file():
            continue
        try:
            with Image.open(path) as mask:
                shape = mask.height, mask.width
        except (OSError, ValueError, SyntaxError) as error:
            yield f"mask unreadable: {path}: {error}"
            continue
        try:
            check_size(split.images.image(name), shape, path)
        except BadImage as error:
            yield str(error)


def check_size(image: Encoded, mask: tuple[int, ...], path: Path) -> None:
    """Raise BadImage for a mask whose (height, width) is not that of its image; an unreadable image
    passes.
    """
    try:
        height, width = size(image)
    except BadImage:
        return
    if mask != (height, width):
        sizes = f"is {mask[0]}x{mask[1]}, its image {height}x{width}"
        turned = ", as the image is turned upright" if mask == (width, height) else ""
        raise BadImage("mask of another size", f"{path} {sizes}{turned}")
