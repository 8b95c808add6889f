"""What is known of a published dataset: how it lies on disk when somebody has unpacked it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.split import Split


@dataclass(frozen=True, kw_only=True)
class Layout:
    """title: what it is called, and its folders. size: HEIGHTxWIDTH of the paper's grid, or None
    where images are taken as they are.

    found(root): the folder that the dataset starts from, in or below `root`; None if it is another.
    classes(root): as [classes] of dataset.toml. split(root, "train" or "val"): None if there is
    none; raises BadDataset, saying what is wrong with this copy.
    """

    title: str
    size: str | None
    found: Callable[[Path], Path | None]
    classes: Callable[[Path], Mapping[str, Any]]
    split: Callable[[Path, str], Split | None]
