"""The folder of a live session: what it begins from, and the files that every command knows."""

import json
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadDataset, BadInput
from scorer.files import check_writable, replacing
from scorer.images.colours import default_colours, hexadecimal
from scorer.pools import list_pool
from trainer import dataset
from trainer.dataset import Dataset
from trainer.detect import suggested_size

_TOML = """\
version = 1
# What the network's grid is, HEIGHTxWIDTH. Images are scaled to fit into it, never distorted.
size = "{size}"

# What is clicked in the page goes into labels.db.
[train]
images = {images}
labels = "labels.db"

[classes]
names = {names}
colours = {colours}
"""


@dataclass(frozen=True)
class Home:
    """A folder whose files have the names that the other commands read by default."""

    folder: Path

    @property
    def dataset(self) -> Path:
        return self.folder / "dataset.toml"

    @property
    def labels(self) -> Path:
        return self.folder / "labels.db"

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def graph(self) -> Path:
        return self.folder / "scorer.onnx"

    @property
    def log(self) -> Path:
        """A line of JSON for every model: what it learned from, what random pixels say of it."""
        return self.labels.with_name("live.jsonl")

    @property
    def classes(self) -> Path:
        return self.folder / "classes.txt"


def prepare(home: Home, where: str | None, classes: tuple[str, ...] | None) -> Dataset:
    """The dataset of a session: that of an earlier one, or a new one of a pool and class names.

    Raises BadDataset where neither is there, BadInput where they differ, BadPool.
    """
    check_writable(home.dataset)
    if home.dataset.exists():
        found = dataset.read(home.dataset)
        there = found.train.images.where
        if where is not None and _place(where) != _place(there):
            raise BadInput(
                f"{home.dataset} is of the photographs in {there}, not of those in {where}",
                remedy="leave --pool away to go on with these, or choose another --out",
            )
        if classes is not None and found.classes.names != classes:
            raise BadInput(
                f"{home.dataset} has the classes {', '.join(found.classes.names)}",
                remedy="leave --classes away to go on with these, or choose another --out",
            )
    else:
        found = _begin(home, where, classes)
    names = found.classes.names
    if not home.classes.exists() or home.classes.read_text("utf-8").splitlines() != list(names):
        with replacing(home.classes) as file:
            file.writelines(f"{name}\n" for name in names)
    return found


def _place(where: str) -> str:
    return where if "://" in where else Path(where).resolve().as_posix()


def _begin(home: Home, where: str | None, classes: tuple[str, ...] | None) -> Dataset:
    if where is None or classes is None:
        raise BadDataset(
            f"{home.dataset} does not exist",
            remedy="begin with --pool ./images --classes road,building,sky",
        )
    colours = [hexadecimal(one) for one in default_colours(len(classes))]
    text = _TOML.format(
        size=suggested_size(list_pool(where)),
        images=json.dumps(_place(where)),
        names=json.dumps(list(classes), ensure_ascii=False),
        colours=json.dumps(colours),
    )
    with replacing(home.dataset) as file:
        file.write(text)
    return dataset.read(home.dataset)
