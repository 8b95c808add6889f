"""Chooses the labels for training: of a file, of dataset.toml, or drawn from the masks."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scorer import labels as label_files
from scorer.errors import BadDataset, BadInput, BadLabels
from scorer.labels import Labels
from scorer.labels.store import SUFFIX
from trainer import clicks, dense_labels, unused
from trainer.dataset import Dataset

if TYPE_CHECKING:
    from trainer.fit_options import FitOptions
    from trainer.listener import Listener


def labels_path(out: Path) -> Path:
    """The path of labels drawn from masks: model.safetensors → model.labels.csv."""
    return out.with_name(f"{out.stem}.labels.csv")


def labels(dataset: Dataset, out: Path, options: "FitOptions", listener: "Listener") -> Labels:
    """The labelled pixels: clicks and random pixels of dense labels or, without both, pixels drawn
    from the masks, which are written to `labels_path(out)`. Raises BadDataset, BadLabels, BadInput.
    """
    path = options.labels or dataset.train.labels or _store(dataset, options, listener)
    folder = options.dense_labels or dataset.train.dense_labels
    if path is None and folder is None:
        return _drawn(dataset, out, options, listener)
    found = Labels({})
    if path is not None:
        found = clicks.read(path, dataset, audits=options.audits, on_conflict=options.on_conflict)
        listener.tell(f"{found.labelled} labels of {len(found.clicks)} images from {path}")
        if not len(found) and folder is None:
            raise BadLabels(
                f"{path} holds no label to learn from",
                remedy="label pixels first, such as with: scorer serve",
            )
        if unsaid := len(found) - found.labelled:
            listener.tell(
                f"{unsaid} more pixels were asked but have no class, and are not used for training"
            )
        unused.tell(found, path, _beside(dataset, out), dataset, listener)
    if folder is None:
        return found
    dense, skipped = dense_labels.draw(folder, dataset, options.recipe.seed)
    tell_skipped(skipped, listener)
    listener.tell(f"{len(dense)} pixels of {len(dense.clicks)} masks in {folder}, at random")
    return dense_labels.mixed(found, dense)


def _drawn(dataset: Dataset, out: Path, options: "FitOptions", listener: "Listener") -> Labels:
    if dataset.train.masks is None:
        raise BadDataset(
            "there is nothing to learn from: [train] has neither masks nor labels",
            remedy="give --labels FILE, a CSV image,row,col,label, or add masks to [train]",
        )
    drawn, skipped = clicks.draw(
        dataset.train, dataset.classes, pixels=options.pixels, seed=options.recipe.seed
    )
    tell_skipped(skipped, listener)
    kept = labels_path(out)
    _check_kept(kept, drawn, dataset)
    label_files.write(kept, drawn, dataset.classes.names)
    listener.tell(
        f"{len(drawn)} labels drawn at random from {len(drawn.clicks)} masks, "
        f"{options.pixels} pixels each, seed {options.recipe.seed}; kept in {kept}"
    )
    unused.tell(drawn, kept, _beside(dataset, out), dataset, listener)
    return drawn


def _store(dataset: Dataset, options: "FitOptions", listener: "Listener") -> Path | None:
    """The label store, if it exists; None if it has no labels yet while there are masks."""
    path = options.store
    if path is None or not path.is_file():
        return None
    try:
        labelled = clicks.read(path, dataset, audits=options.audits).labelled
    except BadLabels as error:
        raise BadLabels(
            str(error), remedy=f"{error.remedy}; --pixels N draws labels from the masks instead"
        ) from error
    if labelled or dataset.train.masks is None:
        return path
    listener.tell(f"{path} has no labelled pixel yet")
    return None


def _beside(dataset: Dataset, out: Path) -> list[Path]:
    """Paths of other label files of the same project."""
    named = [] if dataset.train.labels is None else [dataset.train.labels]
    return [*named, out.with_name(f"labels{SUFFIX}"), labels_path(out)]


def of_masks(dataset: Dataset, seed: int, listener: "Listener") -> Labels:
    """Random pixels of every mask, as many as help a head. Raises BadDataset without masks."""
    if dataset.train.masks is None:
        raise BadDataset("[train] has no masks", remedy="supervised training needs whole masks")
    pixels = dense_labels.per_mask(len(dataset.train.images))
    drawn, skipped = clicks.draw(dataset.train, dataset.classes, pixels=pixels, seed=seed)
    tell_skipped(skipped, listener)
    listener.tell(f"{len(drawn)} pixels of {len(drawn.clicks)} masks, {pixels} at random of each")
    return drawn


def tell_skipped(skipped: Sequence[tuple[str, str]], listener: "Listener") -> None:
    """Report the images that could not be used, with the reasons."""
    if skipped:
        listener.tell(f"{len(skipped)} images skipped:", warning=True)
    for name, reason in skipped:
        listener.tell(f"  {name}: {reason}", warning=True)


def tell_absent(dataset: Dataset, seen: set[int], listener: "Listener") -> None:
    """Report the classes that have no label yet."""
    if absent := [name for i, name in enumerate(dataset.classes.names) if i not in seen]:
        listener.tell(f"no label yet of: {', '.join(absent)}", warning=True)


def _check_kept(path: Path, drawn: Labels, dataset: Dataset) -> None:
    """Raise BadInput if the file of drawn labels contains more than is drawn now: it would be
    lost.
    """
    if not path.is_file():
        return
    with suppress(BadLabels):  # labels of another dataset need not be kept
        there = label_files.read(path, dataset.classes.names)
        grown = [n for n in there.clicks if drawn.of(n) and set(drawn.of(n)) < set(there.of(n))]
        if grown:
            raise BadInput(
                f"{path} holds more labels than are drawn now, such as in {grown[0]}: of more "
                "--pixels, or clicks that somebody has added",
                remedy=f"train on it with --labels {path}, or remove it",
            )
