"""The result of `trainer init`: the text of a dataset.toml, and the findings about the folder."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scorer.console import quantity
from scorer.pools import Index
from scorer.pools.folder import real
from trainer.headers import LOOKED_AT, Sizes, sizes

_LONGEST_SIDE = 640


@dataclass
class Detection:
    """A dataset.toml for a folder, and the findings, one per line.

    images: folder of training images, if known. unusable: number of examined images and masks that
    cannot be used. can_train: whether there are masks or labels.
    """

    toml: str
    findings: list[str] = field(default_factory=list)
    images: Path | None = None
    unusable: int = 0
    can_train: bool = True

    def lines(self) -> Iterator[str]:
        """Yield the findings, and what to do about files that cannot be used."""
        yield from self.findings
        if self.unusable:
            yield (
                f"{quantity(self.unusable, 'file')} cannot be used, and are passed over: "
                "save images as JPEG or PNG again, and masks at the size of their image"
            )

    def next_command(self, target: Path) -> str:
        """The command to run next, valid in the working directory."""
        if not self.can_train and self.images is not None:
            there = target.parent.absolute()
            place = self.images.absolute()
            if there == Path.cwd() or not place.is_relative_to(there):
                return f"trainer live --pool {shlex.quote(str(self.images))}"
            # the folder where the command finds dataset.toml
            inside = shlex.quote(str(place.relative_to(there)))
            return f"cd {shlex.quote(str(target.parent))} && trainer live --pool {inside}"
        data = "" if target == Path("dataset.toml") else f" --data {shlex.quote(str(target))}"
        return f"trainer fit{data}"


def suggested_size(pool: Index) -> str:
    """HEIGHTxWIDTH of a suitable grid for the images of a pool. Raises BadDataset."""
    return size_for(sizes(pool, pool.names[:LOOKED_AT]))


def size_for(seen: Sizes) -> str:
    """HEIGHTxWIDTH of a suitable grid for images of these sizes."""
    height, width = seen.commonest
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    sides = [height, width] if scale == 1 else [16 * round(s * scale / 16) for s in (height, width)]
    return "x".join(str(max(32, side)) for side in sides)


def start(root: Path, written_to: Path) -> str:
    """The value of `root` in a dataset.toml in the folder `written_to`."""
    return "." if real(root) == real(written_to) else real(root).as_posix()
