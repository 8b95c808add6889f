"""Describes a user's folders of images and masks as a dataset.toml."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from scorer import labels
from scorer.console import quantity
from scorer.errors import BadDataset, BadPool
from scorer.labels import csv_file, store
from scorer.pools import Index, list_pool, named
from scorer.pools.folder import Folder
from trainer import (
    arrangement,
    headers,
    layouts,
    legend,
    mask_name,
    meaning,
    overlap,
    survey,
    template,
)
from trainer.arrangement import Arrangement, Part
from trainer.detection import Detection, size_for
from trainer.image_list import listed
from trainer.legend import Legend
from trainer.meaning import Meaning
from trainer.split import Split

_LABELS = ("labels.db", "labels.csv")
_JPEG = (".jpg", ".jpeg")
_NO_MASKS = survey.MaskValues()


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Findings about a training or validation part. names: of its images; others: of images in its
    folder that its list does not name; split: the images that were opened; pattern: of the names of
    its masks.
    """

    part: Part
    names: Sequence[str]
    others: AbstractSet[str]
    split: Split
    pattern: str
    sizes: headers.Sizes
    values: survey.MaskValues


def detect(root: Path, start: str, given: Legend | None) -> Detection:
    """Describe the folder `root`. Raises BadDataset, BadLabels.

    start: value of `root` in dataset.toml. given: class names in place of those of a file.
    """
    found = arrangement.find(root)
    if found is None:
        raise _nothing(root)
    if found.unused_val_list is not None:
        raise _undivided(root, found.unused_val_list)
    there = [root / name for name in _LABELS if (root / name).is_file()]
    answers = there[0] if there else None
    train = _seen(found.train, needs_masks=answers is None)
    val = None if found.val is None else _seen(found.val, needs_masks=True)
    unmasked = None
    if val is not None and not val.values.usable:
        val, unmasked = None, val
    if val is not None:
        overlap.check(*(overlap.below(one.part.images, one.names) for one in (train, val)))
    known = given or legend.find(_places(root, found)) or _of_answers(answers)
    means = _meaning(train, val, known)
    findings = [f"layout: folders ({found.title})", *_of_train(root, train, means, answers)]
    if val is not None:
        first, *others = _counted(root, val)
        findings += [f"validation: {first}", *others, val.values.share(), *val.values.warnings()]
        findings += _copies(root, train, val)
    findings += [] if unmasked is None else _unmasked(root, unmasked)
    findings += _unlisted(train, val)
    findings += [f"{_place(root, path)} is not used" for path in found.unused]
    findings += [
        f"{path.name} is not used, as there is {_LABELS[0]}; import it with: scorer labels import "
        f"{path.name} --format csv --annotator NAME"
        for path in there[1:]
    ]
    findings += [means.remark] if means.remark else []
    if answers is not None:
        findings.append(f"{answers.name}: {labels.read(answers, means.names).labelled} pixels")
    if known is None:
        findings.append("class names are not known: edit [classes] in dataset.toml")
    text = template.folders(
        root=start,
        size=size_for(train.sizes),
        train=_written(root, train, answers),
        val=None if val is None else _written(root, val, None),
        meaning=means,
    )
    unusable = sum(len(one.values.useless) + one.sizes.broken for one in (train, val) if one)
    can_train = answers is not None or train.values.usable > 0
    return Detection(text, findings, found.train.images, unusable, can_train)


def _nothing(root: Path) -> BadDataset:
    for name in ("SegmentationClass", "masks", "ann"):
        if (root / name).is_dir():
            return BadDataset(
                f"{root} has no folder of images beside {name}/",
                remedy="put the images into images/, or export them with the annotations",
            )
    try:
        inner = next((name for name in Folder(root).names() if "/" in name), None)
    except BadPool as error:
        return BadDataset(str(error), remedy=error.remedy)
    layouts_known = "; ".join(layout.title for layout in layouts.KNOWN.values())
    there = "" if inner is None else f" of a name that is known; there is {inner}"
    return BadDataset(
        f"{root} has no folder of images{there}",
        remedy=f"expected {', '.join(arrangement.IMAGES)}, or one of: {layouts_known}",
    )


def _seen(part: Part, *, needs_masks: bool) -> _Seen:
    names = _names(part)
    pattern, masks = mask_name.PATTERN, part.masks
    if part.masks is not None:
        guessed = mask_name.guess(names, part.masks, mixed=part.is_mixed)
        if guessed is None and not part.is_mixed and needs_masks:
            raise _unmatched(part, names)
        masks = None if guessed is None else part.masks
        pattern = guessed or pattern
    if masks is not None and mask_name.of(pattern)(names[0]).lower().endswith(_JPEG):
        raise BadDataset(
            f"the masks in {masks} are JPEG files, whose values are not exact",
            remedy="store masks as PNG",
        )
    if part.is_mixed and masks is not None:
        names = mask_name.without_masks(names, pattern)
    others: AbstractSet[str] = frozenset()
    if part.list is not None:
        others = set(names)
        names = listed(part.list, names)
        others -= set(names)
    some = _index(part, headers.sample(names))
    split = Split(images=some, masks=masks, mask_name=mask_name.of(pattern))
    sizes = headers.sizes(some, headers.looked_at(some))
    values = _NO_MASKS if masks is None else survey.mask_values(split)
    return _Seen(
        part=part, names=names, others=others, split=split, pattern=pattern, sizes=sizes,
        values=values,
    )  # fmt: skip


def _names(part: Part) -> Sequence[str]:
    """The names of all images; a folder's files are not opened, as there may be a million."""
    names = list(Folder(part.images).names())
    if names:
        return names
    try:
        return list_pool(part.images).names
    except BadPool as error:
        raise BadDataset(str(error), remedy=error.remedy) from error


def _index(part: Part, names: Sequence[str]) -> Index:
    folder = named(part.images, names)
    there = any((part.images / name).exists() for name in names)
    return folder if there else list_pool(part.images).only(names)


def _unmatched(part: Part, names: Sequence[str]) -> BadDataset:
    assert part.masks is not None
    there = sorted(path.name for path in part.masks.iterdir() if not path.name.startswith("."))
    held = f"it holds {there[0]} and others" if there else "it is empty"
    if there and all(name.endswith(".json") for name in there):
        return BadDataset(
            f"{part.masks} holds JSON files, and no masks",
            remedy="export masks with the annotation tool: a PNG of class indices for each image",
        )
    return BadDataset(
        f"no file in {part.masks} has a name like that of an image, such as {names[0]}; {held}",
        remedy="call the mask of an image as the image, with .png, or with the same word before or "
        "behind it",
    )


def _places(root: Path, found: Arrangement) -> Iterator[Path]:
    """Folders that may have a file of class names: the root, those of the images and masks, and
    those between.
    """
    folders = [root]
    for inner in (found.train.images, found.train.masks):
        if inner is not None:
            between = [inner, *inner.parents]
            folders += [one for one in between if one != root and one.is_relative_to(root)]
    yield from dict.fromkeys(folders)


def _of_answers(path: Path | None) -> Legend | None:
    """The classes that a label file names; None if it names fewer than two."""
    if path is None:
        return None
    if path.suffix == store.SUFFIX:
        return Legend(path=path, names=store.classes_of(path))
    words = dict.fromkeys(row["label"].strip() for row, _ in csv_file.rows(path))
    names = tuple(sorted(word for word in words if word and not word.isdigit()))
    return Legend(path=path, names=names) if len(names) > 1 else None


def _meaning(train: _Seen, val: _Seen | None, known: Legend | None) -> Meaning:
    values = train.values if val is None else train.values + val.values
    try:
        means = meaning.of(values, known)
    except BadDataset as error:
        raise BadDataset(f"{train.split.masks}: {error}", remedy=error.remedy) from error
    if means.values is not None or values.colours or (known is not None and known.colours):
        return means
    own = survey.palette(train.split, len(means.names))
    return means if own is None else replace(means, colours=tuple(own))


def _of_train(root: Path, train: _Seen, means: Meaning, answers: Path | None) -> list[str]:
    """The findings about the images and masks for training."""
    lines, split = _counted(root, train), train.split
    if split.masks is None:
        if answers is None:
            lines.append("no masks: labels must come from a CSV")
        return lines
    if train.part.is_mixed:
        lines.append(f"masks lie among them: {train.pattern}; other commands take them for images")
    else:
        lines.append(f"{_place(root, split.masks)}:")
    if train.values.colours:
        return lines + train.values.findings_of_colours(
            dict(zip(means.colours, means.names, strict=True))
        )
    return lines + train.values.findings(means.names, means.ignore, means.ids)


def _counted(root: Path, seen: _Seen) -> list[str]:
    line = f"{_place(root, seen.part.images)}: {quantity(len(seen.names), 'image')}, {seen.sizes}"
    return [line, *seen.sizes.findings(), *headers.share(seen.sizes.looked_at, len(seen.names))]


def _place(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() + ("" if path.is_file() else "/")


def _copies(root: Path, train: _Seen, val: _Seen) -> list[str]:
    """A warning if examined images of the validation are copies of training images."""
    both = (overlap.below(one.part.images, one.split.images.names) for one in (train, val))
    folders = (_place(root, one.part.images) for one in (train, val))
    return overlap.warning(list(overlap.copies(*both)), *folders)


def _unlisted(train: _Seen, val: _Seen | None) -> list[str]:
    """A line that counts the images of the folder that no list of a split names."""
    left, lists = train.others, [train.part.list]
    if val is not None and val.part.list is not None:
        left, lists = left - set(val.names), [*lists, val.part.list]
    if not left:
        return []
    names = " nor in ".join(path.name for path in lists if path is not None)
    what = f"{'neither' if len(lists) > 1 else 'not'} in {names}, and not used"
    return [f"{what}: {quantity(len(left), 'image')}, such as {min(left)}"]


def _unmasked(root: Path, val: _Seen) -> list[str]:
    line = f"validation: {_place(root, val.part.list or val.part.images)} is not used"
    return [f"{line}, as none of its images has a mask that can be used", *val.values.warnings()]


def _undivided(root: Path, path: Path) -> BadDataset:
    return BadDataset(
        f"{path} names images for the validation, and no list names those for training",
        remedy=f"write {_place(root, path.with_name('train.txt'))}, or remove {_place(root, path)}",
    )


def _written(root: Path, seen: _Seen, answers: Path | None) -> str:
    return template.split(
        root,
        images=seen.part.images,
        masks=seen.split.masks,
        pattern=seen.pattern,
        names=seen.part.list,
        labels=answers,
    )
