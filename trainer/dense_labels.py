"""Dense labels: masks of some photographs, made or corrected by people, as an addition to
clicks.
"""

from dataclasses import replace
from pathlib import Path

from scorer.errors import BadDataset, BadImage
from scorer.labels import Click, Labels
from scorer.selection.exclusion import mask_name
from trainer import clicks, masks
from trainer.dataset import Dataset

# Random pixels per mask, and of all masks together. More would not help a head: its layers are 1x1,
# and neighbouring pixels are alike.
_OF_ONE, _OF_ALL = 2048, 1_000_000


def per_mask(masks: int) -> int:
    """Number of random pixels per mask for training with this many masks."""
    return max(1, min(_OF_ONE, _OF_ALL // max(1, masks)))


def draw(folder: Path, dataset: Dataset, seed: int) -> tuple[Labels, list[tuple[str, str]]]:
    """Draw `per_mask` random labelled pixels of every mask in a folder.

    folder: PNG files of class indices, 255 where unknown, named like the images. Unusable masks are
    returned beside the labels, with the reason. Raises BadDataset for a folder without masks, and
    for a mask that belongs to no image of [train].
    """
    values = {index: index for index in range(len(dataset.classes))} | {masks.IGNORE: masks.IGNORE}
    split = replace(dataset.train, masks=folder, mask_name=mask_name, ids=values)
    found: dict[str, list[Click]] = {}
    skipped = []
    names = _named(folder, dataset)
    for name in names:
        try:
            found[name] = clicks.draw_one(split, dataset.classes, name, per_mask(len(names)), seed)
        except BadImage as error:
            skipped.append((name, str(error)))
    return Labels(found), skipped


def mixed(clicked: Labels, dense: Labels) -> Labels:
    """Join both; at a pixel that both contain, the click wins."""
    found = {name: list(of_image) for name, of_image in clicked.clicks.items()}
    for name, drawn in dense.clicks.items():
        said = {(one.row, one.col) for one in clicks.with_class(clicked.of(name))}
        added = [one for one in drawn if (one.row, one.col) not in said]
        found[name] = [*found.get(name, ()), *added]
    return Labels(found)


def _named(folder: Path, dataset: Dataset) -> list[str]:
    """The images whose masks are in the folder. Raises BadDataset."""
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*.png")}
    files = {file for file in files if not any(part.startswith(".") for part in Path(file).parts)}
    if not files:
        raise BadDataset(
            f"{folder} holds no masks",
            remedy="scorer labels import --dense writes them: PNG files of class indices",
        )
    names = [name for name in dataset.train.images.names if mask_name(name) in files]
    if strangers := files - {mask_name(name) for name in names}:
        raise BadDataset(
            f"{folder}: {len(strangers)} of its masks belong to no image of "
            f"{dataset.train.images.where}, such as {min(strangers)}",
            remedy="a mask has the name of its image, with .png; move the others away",
        )
    return names
