"""The Python door: labels into a model, a model measured, for notebooks and other programs."""

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
    """A model file, and what it reached on the validation photographs, if there are any."""

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
    """Train on sparse labels, as trainer fit does; dense: on the whole masks, as supervised does.

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
    """A trained network and what its file says of it.

    network: the code of yours, package.module:factory, that the model may run. Raises BadModel.
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
    """Intersection over union per class of a model on a split of a dataset, "val" or "train".

    on_image hears how many images are done, of how many. Raises BadModel, BadDataset.
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
    """The same of a folder of masks with class indices, such as scorer segment writes. A pixel of
    255 has no class, and is wrong. Raises BadDataset.
    """
    described = dataset.read(Path(data))
    part = _part(described, split, data)
    total = len(part.images)
    return measure_masks(Path(folder), part, described.classes, lambda done: on_image(done, total))


def doubt_of_masks(folder: Location, data: Location, split: str) -> str | None:
    """Why masks may be of other photographs than those of a split, in words."""
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
    """Fit a temperature, and write the model with it to `out`, or in its own place, if it helps.

    labels: a label store with audit answers; else the pixels are those of [val]. network, on_image
    as of evaluate. Raises BadModel, BadDataset, BadLabels.
    """
    built, card = load(path, network=network)
    described = _described(data, path, card)
    store = None if labels is None else Path(labels)
    return job_of_calibration.calibrate(
        built, card, described, Path(path if out is None else out), store, on_image
    )


def _described(data: Location, path: Location, card: Card) -> Dataset:
    """The dataset, which must have the classes of the model."""
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
