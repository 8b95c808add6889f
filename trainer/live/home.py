"""The files of a live session's folder, and how a session begins and continues there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from scorer.errors import BadDataset, BadInput
from scorer.files import check_writable, replacing
from scorer.images.colours import default_colours, hexadecimal
from scorer.labels import learned, store
from scorer.pools import list_pool
from scorer.pools.folder import real
from trainer import dataset
from trainer.dataset import Dataset
from trainer.detection import suggested_size
from trainer.masks import IGNORE

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
    """A folder whose files have the default names of the other commands."""

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
        """The log: a line of JSON per model, with its training labels and its accuracy on random
        pixels.
        """
        return self.labels.with_name(learned.LOG)

    @property
    def doubts(self) -> Path:
        """The file of answers that a model trained without them contradicts."""
        return self.labels.with_name(learned.DOUBTS)

    @property
    def classes(self) -> Path:
        return self.folder / "classes.txt"


def prepare(home: Home, where: str | None, classes: tuple[str, ...] | None) -> Dataset | None:
    """The dataset of a session: of its dataset.toml, or new from a pool and class names; None while
    the classes are still to be named in the page.

    Raises BadDataset where no pool is given, BadInput where arguments contradict the existing
    files, BadPool.
    """
    check_writable(home.dataset)
    if not home.dataset.exists():
        if where is None:
            raise BadDataset(
                f"{home.dataset} does not exist",
                remedy="begin with --pool ./images, and perhaps --classes road,building,sky",
            )
        if classes is None:
            _check_classes(home)
            return None
        return begin(home, where, classes)
    found = dataset.read(home.dataset)
    there, names = found.train.images.where, found.classes.names
    if where is not None and _place(where) != _place(there):
        raise BadInput(
            f"{home.dataset} is of the photographs in {there}, not of those in {where}",
            remedy="leave --pool away to go on with these, or choose another --out",
        )
    if classes is not None and names[: len(classes)] != classes:
        raise BadInput(
            f"{home.dataset} has the classes {', '.join(names)}",
            remedy="leave --classes away to go on with these, or choose another --out",
        )
    _write_classes(home, names)
    return found


def begin(home: Home, where: str, classes: Sequence[str]) -> Dataset:
    """Write a new dataset.toml for a pool and at least two class names. Raises BadPool."""
    colours = [hexadecimal(one) for one in default_colours(len(classes))]
    text = _TOML.format(
        size=suggested_size(list_pool(where)),
        images=json.dumps(_place(where), ensure_ascii=False),
        names=json.dumps(list(classes), ensure_ascii=False),
        colours=json.dumps(colours),
    )
    with replacing(home.dataset) as file:
        file.write(text)
    _write_classes(home, classes)
    return dataset.read(home.dataset)


def extend(home: Home, classes: Sequence[str]) -> Dataset:
    """Append the classes that annotators have added to those of dataset.toml, and change nothing
    else in the file.
    """
    table = tomlkit.parse(home.dataset.read_text("utf-8-sig"))
    own: Any = table["classes"]
    for name in classes[len(own["names"]) :]:
        own["names"].append(name)
        if "colours" in own:
            own["colours"].append(_another(own["colours"]))
        if "values" in own:
            taken = {*own["values"], own.get("ignore", IGNORE), IGNORE}
            own["values"].append(next(value for value in range(IGNORE) if value not in taken))
    with replacing(home.dataset) as file:
        file.write(tomlkit.dumps(table))
    _write_classes(home, classes)
    return dataset.read(home.dataset)


def _check_classes(home: Home) -> None:
    """Raise BadInput if classes.txt exists, although no classes were given."""
    if home.classes.exists():
        raise BadInput(
            f"{home.classes} exists already, although no classes are given with --classes",
            remedy=f"begin with --classes {home.classes}, or choose another --out",
        )


def can_extend(home: Home) -> bool:
    """Whether classes can be added: those of a published layout are fixed."""
    return not home.dataset.exists() or dataset.is_extensible(home.dataset)


def settle(home: Home) -> None:
    """After a session, append the classes added last to dataset.toml. Raises BadLabels."""
    if home.dataset.exists() and home.labels.exists():
        names = store.classes_of(home.labels)
        if len(names) > len(dataset.read(home.dataset).classes.names):
            extend(home, names)


def _another(colours: Sequence[str]) -> str:
    """The first default colour that is not among these."""
    taken = {one.lower() for one in colours}
    ours = (hexadecimal(one) for one in default_colours(len(colours) + 1))
    return next(one for one in ours if one not in taken)


def _write_classes(home: Home, names: Sequence[str]) -> None:
    lines = home.classes.read_text("utf-8").splitlines() if home.classes.exists() else []
    if lines != list(names):
        with replacing(home.classes) as file:
            file.writelines(f"{name}\n" for name in names)


def _place(where: str) -> str:
    return where if "://" in where else real(Path(where)).as_posix()
