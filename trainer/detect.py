"""Examines a folder and writes a dataset.toml for it."""

from collections.abc import Sequence
from pathlib import Path

from scorer.console import quantity
from scorer.errors import BadDataset
from trainer import headers, layouts, legend, overlap, own_folders, survey, template
from trainer.detection import Detection, start, suggested_size
from trainer.layouts.layout import Layout
from trainer.legend import Legend
from trainer.masks import IGNORE
from trainer.split import Split

_OBJECTS = "objectInfo150.txt"  # of ADE20K itself


def detect(root: Path, *, written_to: Path, classes: Sequence[str] | None = None) -> Detection:
    """Recognise the layout of a folder, and write a dataset.toml for the folder `written_to`.

    classes: class names, in place of those in a file. Raises BadDataset where there are no images,
    or where the masks cannot be used for training.
    """
    if not root.is_dir():
        raise BadDataset(f"{root} is not a folder", remedy="give the folder that holds images/")
    given = Legend(path=Path("--classes"), names=tuple(classes)) if classes else None
    for name, layout in layouts.KNOWN.items():
        place = layout.found(root)
        if place is not None and not (given or _has_own_classes(layout, place)):
            return _published(name, layout, place, start(place, written_to))
    return own_folders.detect(root, start(root, written_to), given)


def _has_own_classes(layout: Layout, place: Path) -> bool:
    """Whether a folder with the layout of a published dataset has a file with other class names."""
    if (place / _OBJECTS).is_file():
        return False
    found = legend.find((place,))
    return found is not None and list(found.names) != list(layout.classes(place)["names"])


def _published(name: str, layout: Layout, root: Path, place: str) -> Detection:
    findings = [f"layout: {layout.title}"]
    splits = {part: layout.split(root, part) for part in ("train", "val")}
    unusable = 0
    for part, split in splits.items():
        if split is not None:
            names = headers.looked_at(split.images)
            sizes = headers.sizes(split.images, names)
            findings += [
                f"{part}: {quantity(len(split.images), 'image')}, {sizes}",
                *sizes.findings(),
            ]
            findings += headers.share(len(names), len(split.images))
            unusable += sizes.broken
            if part == "val":
                misfits = survey.MaskValues(misfits=list(headers.misfits(split, names)))
                findings += misfits.warnings()
                unusable += len(misfits.useless)
    train, val = splits["train"], splits["val"]
    if train is None:
        raise BadDataset(
            f"{root} has no split for training", remedy="check that the dataset is complete"
        )
    if val is not None:
        overlap.check(overlap.of(train.images), overlap.of(val.images))
        seen = (one.images.only(headers.looked_at(one.images)) for one in (train, val))
        findings += overlap.warning(list(overlap.copies(*map(overlap.of, seen))), "", "")
    classes = layout.classes(root)
    values = survey.mask_values(train)
    findings += values.findings(classes["names"], classes["ignore"], train.ids)
    findings += _doubts(layout, classes["names"], values, train)
    size = layout.size or suggested_size(train.images)
    text = template.published(name=name, title=layout.title, root=place, size=size)
    return Detection(text, findings, unusable=unusable + len(values.useless))


def _doubts(
    layout: Layout, names: Sequence[str], values: survey.MaskValues, train: Split
) -> list[str]:
    """A warning if few classes of the published dataset occur. Raises BadDataset if others
    occur.
    """
    inner = set(values.counts) - {IGNORE} if train.ids is None else set()
    if inner and max(inner) > len(names):
        raise BadDataset(
            f"the masks in {train.masks} hold {max(inner)}, but {layout.title} has {len(names)} "
            "classes",
            remedy=f"{_OTHERS}, or with --classes",
        )
    few = train.ids is None and 2 * len(inner) < len(names)
    occur = f"only {len(inner)} of the {len(names)} classes occur; {_OTHERS}, or with --classes"
    return [occur] if few else []


_OTHERS = "if yours are others, name them in class_names.txt, one per line"
