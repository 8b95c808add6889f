"""What lies in a folder of images and masks: sizes, mask values, palette, and what is broken."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.errors import BadDataset, BadImage
from scorer.images.colours import Colour
from scorer.images.photograph import size
from scorer.pools import Index
from trainer import masks
from trainer.split import Split

LOOKED_AT = 200  # files that are opened to learn sizes and classes


@dataclass(frozen=True)
class Sizes:
    """Of the first images: (height, width) of the commonest, how many others, how many broken."""

    commonest: tuple[int, int]
    different: int
    broken: int

    def __str__(self) -> str:
        height, width = self.commonest
        words = f"{height}x{width}"
        if self.different > 1:
            words = f"{self.different} sizes, most {words}"
        return words + (f", {self.broken} unreadable" if self.broken else "")


def sizes(pool: Index) -> Sizes:
    """Look at the headers of the first images; BadDataset if none of them can be read."""
    seen: Counter[tuple[int, int]] = Counter()
    broken = 0
    for name in pool.names[:LOOKED_AT]:
        try:
            seen[size(pool.image(name))] += 1
        except BadImage:
            broken += 1
    if not seen:
        raise BadDataset(
            f"none of the first {broken} images in {pool.where} can be read",
            remedy="images are JPEG, PNG, BMP, TIFF or WebP files",
        )
    return Sizes(seen.most_common(1)[0][0], len(seen), broken)


@dataclass
class MaskValues:
    """How many pixels hold each value, over the masks of the first images."""

    counts: Counter[int] = field(default_factory=Counter)
    looked_at: int = 0
    present: int = 0
    broken: list[str] = field(default_factory=list)

    def findings(
        self, names: Sequence[str], ignore: int, ids: Mapping[int, int] | None = None
    ) -> list[str]:
        """What was seen, line by line, with the names of the values; `ids` as in Split."""
        total = max(1, sum(self.counts.values()))
        known = dict(enumerate(names)) | {ignore: "ignored"}
        if ids is not None:
            known = {value: known.get(index, "ignored") for value, index in ids.items()}
        first = "the first " if self.looked_at == LOOKED_AT else ""
        lines = [f"{self.present} of {first}{self.looked_at} images have a mask; their pixels:"]
        lines += [
            f"  {value:3d} {known.get(value, '?'):<16} {self.counts[value] / total:8.3%}"
            for value in sorted(self.counts)
        ]
        lines += [f"  unreadable: {reason}" for reason in self.broken]
        if set(self.counts) == {0, 255}:
            lines.append("  255 is taken for 'not labelled'; if it is a class, store it as 1")
        return lines


def mask_values(split: Split) -> MaskValues:
    """Count the values of the masks; BadDataset where they are colours, or none can be read."""
    found = MaskValues()
    for path in mask_files(split):
        found.looked_at += 1
        if not path.is_file():
            continue
        try:
            values = masks.pixels(path)
        except BadImage as error:
            found.broken.append(str(error))
            continue
        if values.ndim > 2 or values.max(initial=0) > 255:
            raise BadDataset(
                f"{path} is no mask of class indices from 0 to 255",
                remedy="for masks of colours write dataset.toml by hand: names and colours in "
                "[classes]; docs/datasets.md shows one",
            )
        found.present += 1
        counted = np.bincount(values.ravel(), minlength=256)
        found.counts.update({value: int(n) for value, n in enumerate(counted) if n})
    if found.broken and not found.present:
        raise BadDataset(
            f"none of the masks in {split.masks} can be read: {found.broken[0]}",
            remedy="masks are PNG files of class indices",
        )
    return found


def palette(split: Split, count: int) -> Sequence[Colour] | None:
    """The first `count` colours of the first palette mask, if they are all different."""
    for path in mask_files(split):
        try:
            with Image.open(path) as image:
                entries = image.getpalette("RGB") if image.mode == "P" else None
        except (OSError, ValueError, SyntaxError):
            continue
        if entries is None or len(entries) < 3 * count:
            return None
        colours = [(r, g, b) for r, g, b in np.reshape(entries, (-1, 3))[:count].tolist()]
        return colours if len(set(colours)) == count else None
    return None


def mask_files(split: Split) -> Iterator[Path]:
    """Where the masks of the first images are, or would be."""
    for name in split.images.names[:LOOKED_AT]:
        if (path := split.mask(name)) is not None:
            yield path
