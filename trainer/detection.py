"""What `trainer init` found: a dataset.toml, and what it says of the folder."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from scorer.pools import Index
from scorer.pools.folder import real
from trainer.headers import LOOKED_AT, Sizes, sizes

_LONGEST_SIDE = 640


@dataclass
class Detection:
    """A dataset.toml for a folder, and what was seen there, line by line.

    images: the place to learn from, where it is known. unusable: images and masks among those that
    were looked at which cannot be used. can_train: whether there are masks or labels.
    """

    toml: str
    findings: list[str] = field(default_factory=list)
    images: Path | None = None
    unusable: int = 0
    can_train: bool = True

    def next_command(self, target: Path) -> str:
        """A command that works from here."""
        if not self.can_train and self.images is not None:
            there = target.parent.absolute()
            place = self.images.absolute()
            if there == Path.cwd() or not place.is_relative_to(there):
                return f"trainer live --pool {shlex.quote(str(self.images))}"
            inside = shlex.quote(str(place.relative_to(there)))  # where it finds the dataset.toml
            return f"cd {shlex.quote(str(target.parent))} && trainer live --pool {inside}"
        data = "" if target == Path("dataset.toml") else f" --data {shlex.quote(str(target))}"
        return f"trainer fit{data}"


def suggested_size(pool: Index) -> str:
    """HEIGHTxWIDTH of a grid that suits the images of a pool. Raises BadDataset."""
    return size_for(sizes(pool, pool.names[:LOOKED_AT]))


def size_for(seen: Sizes) -> str:
    """HEIGHTxWIDTH of a grid that suits images of these sizes."""
    height, width = seen.commonest
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    sides = [height, width] if scale == 1 else [16 * round(s * scale / 16) for s in (height, width)]
    return "x".join(str(max(32, side)) for side in sides)


def start(root: Path, written_to: Path) -> str:
    """What a dataset.toml in `written_to` says of where the data are."""
    return "." if real(root) == real(written_to) else real(root).as_posix()
