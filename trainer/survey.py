"""Examines the masks of a dataset: values, palette, unusable files."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.errors import BadDataset, BadImage
from scorer.images.colours import Colour, hexadecimal
from trainer import masks
from trainer.headers import LOOKED_AT, check_size, looked_at, misfits
from trainer.split import Split

MOST_COLOURS = 255  # in a mask
_NAMED = 5  # unusable masks that are listed


_ONE = "  one class alone: no network learns from these masks to tell classes apart"


@dataclass
class MaskValues:
    """Pixels per value, or per colour, in the masks of the first images.

    unfit: why masks cannot be used: damaged, or of another size than their image. misfits: the same
    for further masks, of which only the header was read.
    """

    counts: Counter[int] = field(default_factory=Counter)
    colours: Counter[Colour] = field(default_factory=Counter)
    looked_at: int = 0
    present: int = 0
    unfit: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)

    @property
    def useless(self) -> list[str]:
        """Why masks cannot be used, all that were found."""
        return self.unfit + self.misfits

    @property
    def usable(self) -> int:
        """Number of masks that can be used."""
        return self.present - len(self.unfit)

    def __add__(self, other: "MaskValues") -> "MaskValues":
        """The sum of both."""
        return MaskValues(
            self.counts + other.counts,
            self.colours + other.colours,
            self.looked_at + other.looked_at,
            self.present + other.present,
            self.unfit + other.unfit,
            self.misfits + other.misfits,
        )

    def findings(
        self, names: Sequence[str], ignore: int, ids: Mapping[int, int] | None = None
    ) -> list[str]:
        """The findings, line by line, with the class names of the values; ids: as in Split."""
        total = max(1, sum(self.counts.values()))
        known = dict(enumerate(names)) | {ignore: "ignored"}
        if ids is not None:
            known = {value: known.get(index, "ignored") for value, index in ids.items()}
        lines = [f"{self.share()}; their pixels:"]
        lines += [
            f"  {value:3d} {known.get(value, '?'):<16} {self.counts[value] / total:8.3%}"
            for value in sorted(self.counts)
        ]
        told = {known.get(value, "?") for value in self.counts} - {"ignored"}
        lines += [_ONE] if len(told) == 1 else []
        return lines + self.warnings()

    def findings_of_colours(self, names: Mapping[Colour, str]) -> list[str]:
        """The findings for masks of colours; names: class names by colour."""
        total = max(1, sum(self.colours.values()))
        lines = [f"{self.share()}; their colours:"]
        lines += [
            f"  {hexadecimal(colour)} {names.get(colour, 'ignored'):<16} {count / total:8.3%}"
            for colour, count in self.colours.most_common()
        ]
        return lines + self.warnings()

    def share(self) -> str:
        """How many of the examined images have a mask, and an unusable one."""
        first = "the first " if self.looked_at == LOOKED_AT else ""
        others = f", {len(self.unfit)} an unusable one" if self.unfit else ""
        return f"{self.usable} of {first}{self.looked_at} images have a mask{others}"

    def warnings(self) -> list[str]:
        """The first masks that cannot be used, and how many more there are."""
        more = [f"  and {len(self.useless) - _NAMED} more"] if len(self.useless) > _NAMED else []
        return [f"  cannot be used: {reason}" for reason in self.useless[:_NAMED]] + more


def mask_values(split: Split) -> MaskValues:
    """Count the values of the masks. Raises BadDataset if they are no masks, or none can be
    used.
    """
    found = MaskValues()
    for name, path in _mask_files(split):
        found.looked_at += 1
        if not path.is_file():
            continue
        found.present += 1
        try:
            values = masks.pixels(path)
            check_size(split.images.image(name), values.shape[:2], path)
        except BadImage as error:
            found.unfit.append(str(error))
            continue
        if values.ndim > 2:
            found.colours.update(_colours(values, path))
        else:
            found.counts.update(_values(values, path))
    if found.colours and found.counts:
        raise BadDataset(
            f"of the masks in {split.masks} some are colours and some are grey",
            remedy="store all of them in one way",
        )
    if found.unfit and not found.usable:
        raise BadDataset(
            f"none of the masks in {split.masks} can be used: {found.unfit[0]}",
            remedy="masks are PNG files of class indices or colours, each as large as its image",
        )
    found.misfits += misfits(split, looked_at(split.images)[LOOKED_AT:])
    return found


def _values(values: npt.NDArray[np.integer], path: Path) -> Counter[int]:
    if values.max(initial=0) > 255:
        raise BadDataset(
            f"{path} is no mask of class indices from 0 to 255: it holds {values.max()}",
            remedy="store class indices as an 8-bit grey PNG; masks of instances are no classes",
        )
    counted = np.bincount(values.ravel(), minlength=256)
    return Counter({value: int(n) for value, n in enumerate(counted) if n})


def _colours(values: npt.NDArray[np.integer], path: Path) -> Counter[Colour]:
    codes = (values.astype(np.int64) @ np.array([65536, 256, 1])).ravel()
    # starts of runs of equal colours, of which masks have few
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff(starts, append=codes.size)
    found, places = np.unique(codes[starts], return_inverse=True)
    if len(found) > MOST_COLOURS:
        raise BadDataset(
            f"{path} is no mask: it holds {len(found)} colours",
            remedy="masks are made without smoothing, and stored as PNG, not as JPEG",
        )
    sums = np.bincount(places, weights=lengths)
    return Counter(
        {
            (code >> 16, code >> 8 & 255, code & 255): int(n)
            for code, n in zip(found.tolist(), sums, strict=True)
        }
    )


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
    """The paths of the first images' masks, which may not exist."""
    return (path for _, path in _mask_files(split))


def _mask_files(split: Split) -> Iterator[tuple[str, Path]]:
    for name in split.images.names[:LOOKED_AT]:
        if (path := split.mask(name)) is not None:
            yield name, path
