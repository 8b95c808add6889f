"""The description of a published dataset's folders and classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.split import Split


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of a published dataset.

    title: name and folders. size: HEIGHTxWIDTH of the paper's grid; None: chosen from the images.
    found(root): the folder of the dataset, in or below `root`; None if `root` is something else.
    classes(root): the table [classes] of dataset.toml. split(root, "train" or "val"): None if there
    is none; raises BadDataset, which says what is wrong with this copy.
    """

    title: str
    size: str | None
    found: Callable[[Path], Path | None]
    classes: Callable[[Path], Mapping[str, Any]]
    split: Callable[[Path, str], Split | None]
