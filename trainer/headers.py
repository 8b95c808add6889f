"""What headers say without their pixels: sizes of images, images that cannot be read, and masks
of another size than their image.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.errors import BadDataset, BadImage
from scorer.images.encoded import Encoded
from scorer.images.photograph import size
from scorer.pools import Index
from scorer.pools.index import folder_of
from trainer.split import Split

LOOKED_AT = 200  # files that are opened to learn sizes and classes
MOST = 2000  # files of a folder whose headers are read


@dataclass(frozen=True)
class Sizes:
    """(height, width) of the commonest, how many sizes there are, how many images were looked at;
    why images cannot be read, as far as it can be counted, with an image for each reason.
    """

    commonest: tuple[int, int]
    different: int
    looked_at: int
    unreadable: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def broken(self) -> int:
        """How many images cannot be read."""
        return self.unreadable.total()

    def __str__(self) -> str:
        height, width = self.commonest
        words = f"{height}x{width}"
        if self.different > 1:
            words = f"{self.different} sizes, most {words}"
        return words + (f", {self.broken} unreadable" if self.broken else "")

    def findings(self) -> list[str]:
        """The images that cannot be read, a line for each reason."""
        return [
            f"  cannot be read: {count} images, {reason}, such as {self.examples[reason]}"
            for reason, count in self.unreadable.most_common()
        ]


def sample(names: Sequence[str]) -> Sequence[str]:
    """The first LOOKED_AT, and of the others as many as MOST allows, evenly spread."""
    if len(names) <= MOST:
        return names
    others = np.linspace(LOOKED_AT, len(names) - 1, MOST - LOOKED_AT).astype(int)
    return [*names[:LOOKED_AT], *(names[int(index)] for index in others)]


def looked_at(pool: Index) -> Sequence[str]:
    """The images whose headers are read; without a folder the first, for each is fetched whole."""
    return pool.names[:LOOKED_AT] if folder_of(pool) is None else sample(pool.names)


def share(looked_at: int, total: int) -> list[str]:
    """That not every image was looked at, where it was not so."""
    return [f"  looked at: {looked_at} of these {total}"] if looked_at < total else []


def sizes(pool: Index, names: Sequence[str]) -> Sizes:
    """Look at the headers of these images; BadDataset if none of them can be read."""
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
    """Why the masks of these images cannot be used, as far as headers say it."""
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
    """Raise BadImage for a mask of another (height, width) than its image; one that cannot be read
    has none.
    """
    try:
        height, width = size(image)
    except BadImage:
        return
    if mask != (height, width):
        sizes = f"is {mask[0]}x{mask[1]}, its image {height}x{width}"
        turned = ", as the image is turned upright" if mask == (width, height) else ""
        raise BadImage("mask of another size", f"{path} {sizes}{turned}")
