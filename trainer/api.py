"""The Python API of trainer: train, load, evaluate and calibrate a model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scorer.console import wait_quietly

wait_quietly()  # before PyTorch is loaded

from scorer.errors import BadDataset, BadInput  # noqa: E402
from trainer import dataset, job, model  # noqa: E402
from trainer.calibration import job as job_of_calibration  # noqa: E402
from trainer.calibration.job import Calibrated  # noqa: E402
from trainer.dataset import Dataset  # noqa: E402
from trainer.evaluation import Evaluation  # noqa: E402
from trainer.evaluation import evaluate as measure  # noqa: E402
from trainer.mask_evaluation import evaluate_masks as measure_masks  # noqa: E402
from trainer.mask_evaluation import strangers  # noqa: E402
from trainer.model import Card  # noqa: E402
from trainer.network import BayesianNetwork  # noqa: E402
from trainer.pytorch import device  # noqa: E402
from trainer.screen import Screen  # noqa: E402
from trainer.settings import defaults, fit_options  # noqa: E402
from trainer.split import Split  # noqa: E402

Location = str | Path


@dataclass(frozen=True)
class Fitted:
    """A model file, and its evaluation on the validation split; None without one."""

    path: Path
    evaluation: Evaluation | None


def fit(
    data: Location = "dataset.toml",
    *,
    out: Location = "model.safetensors",
    labels: Location | None = None,
    dense_labels: Location | None = None,
    pixels: int | None = None,
    seed: int = 0,
    resume: bool = True,
    dense: bool = False,
    **settings: Any,
) -> Fitted:
    """Train on sparse labels, as trainer fit does; dense: on whole masks, as trainer supervised
    does.

    settings: the options of trainer fit by their names, with underscores: network="auto",
    steps=2000, size=(360, 480), finetune=6. Raises BadDataset, BadLabels, BadInput.
    """
    chosen = defaults()
    if unknown := settings.keys() - chosen.keys():
        raise BadInput(
            f"fit has no setting {min(unknown)!r}", remedy=f"choose of {', '.join(sorted(chosen))}"
        )
    chosen |= settings
    size = chosen.pop("size")
    wanted = fit_options(
        chosen,
        seed=seed,
        labels=None if labels is None else Path(labels),
        dense_labels=None if dense_labels is None else Path(dense_labels),
        pixels=pixels,
        store=None if pixels else Path("labels.db"),
        resume=resume,
        dense=dense,
    )
    described = dataset.read(Path(data))
    described = replace(described, size=size or described.size)
    with Screen() as screen:
        evaluation = job.train(described, Path(out), wanted, screen)
    return Fitted(Path(out), evaluation)


def load(
    path: Location = "model.safetensors", *, network: str | None = None
) -> tuple[BayesianNetwork, Card]:
    """Load a trained network with its model card.

    network: "package.module:factory", Python code that a model with a network of yours may run.
    Raises BadModel.
    """
    return model.load(Path(path), network)


def evaluate(
    path: Location = "model.safetensors",
    data: Location = "dataset.toml",
    *,
    split: str = "val",
    network: str | None = None,
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> Evaluation:
    """Measure a model on a split of a dataset, "val" or "train": intersection over union per class.

    on_image: called with the number of images done and their total. Raises BadModel, BadDataset.
    """
    built, card = load(path, network=network)
    built.to(device())
    described = _described(data, path, card)
    part = _part(described, split, data)
    total = len(part.images)
    return measure(built, part, described.classes, card.size, lambda done: on_image(done, total))


def evaluate_masks(
    folder: Location,
    data: Location = "dataset.toml",
    *,
    split: str = "val",
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> Evaluation:
    """Measure a folder of masks of class indices, such as scorer segment writes, as `evaluate` does
    a model. A pixel of value 255 has no class, and counts as wrong. Raises BadDataset.
    """
    described = dataset.read(Path(data))
    part = _part(described, split, data)
    total = len(part.images)
    return measure_masks(Path(folder), part, described.classes, lambda done: on_image(done, total))


def doubt_of_masks(folder: Location, data: Location, split: str) -> str | None:
    """A warning where masks in `folder` may be of another pool than the split; None without
    doubt.
    """
    strange = strangers(Path(folder), _part(dataset.read(Path(data)), split, data))
    words = f"{strange} masks in {folder} are of no image of [{split}]: are they of another pool, "
    return f"{words}whose images have the same names?" if strange else None


def calibrate(
    path: Location = "model.safetensors",
    data: Location = "dataset.toml",
    *,
    labels: Location | None = None,
    out: Location | None = None,
    network: str | None = None,
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> Calibrated:
    """Fit a temperature, and write the model with it to `out` (None: to `path`) if it helps.

    labels: a label store with audit answers; None: the pixels of [val]. network, on_image: see
    `evaluate`. Raises BadModel, BadDataset, BadLabels.
    """
    built, card = load(path, network=network)
    described = _described(data, path, card)
    store = None if labels is None else Path(labels)
    return job_of_calibration.calibrate(
        built, card, described, Path(path if out is None else out), store, on_image
    )


def _described(data: Location, path: Location, card: Card) -> Dataset:
    """Read the dataset. Raises BadDataset unless it has the classes of the model."""
    described = dataset.read(Path(data))
    if described.classes.names != card.classes:
        raise BadDataset(
            f"{data} has other classes than {path}: {', '.join(card.classes)}",
            remedy="give the dataset.toml that the model was trained on with --data",
        )
    return described


def _part(described: Dataset, split: str, data: Location) -> Split:
    if split not in ("val", "train"):
        raise BadInput(f"there is no split {split!r}", remedy='choose "val" or "train"')
    part = described.val if split == "val" else described.train
    if part is None:
        raise BadDataset(f"{data} has no [val]", remedy="add one, or choose --split train")
    return part
