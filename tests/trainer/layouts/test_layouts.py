"""The published datasets, each in a small tree of exactly its layout, right and wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from scorer.errors import BadDataset
from trainer import dataset, masks
from trainer.cli import main
from trainer.dataset import Dataset

SIZE = (24, 32)
# cityscapesScripts: 19 classes among 34 label ids.
LABEL_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(path)


def mask(path: Path, values: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8))
    if palette:
        image.putpalette([(7 * index) % 256 for index in range(768)])
    image.save(path)


def spread(values: list[int]) -> np.ndarray:
    """A mask in which every value occurs."""
    return np.resize(values, SIZE)


def cityscapes(root: Path, kind: str, values: np.ndarray) -> Path:
    for split, city in (("train", "aachen"), ("train", "bochum"), ("val", "lindau")):
        stem = f"{city}_000000_000019"
        photograph(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        mask(root / "gtFine" / split / city / f"{stem}_gtFine_{kind}.png", values)
        mask(root / "gtFine" / split / city / f"{stem}_gtFine_instanceIds.png", spread([0]))
    return root


def voc(root: Path, values: np.ndarray, *, palette: bool = True) -> Path:
    base = root / "VOCdevkit" / "VOC2012"
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2007_000039\n")
    (lists / "val.txt").write_text("2007_000033\n")
    for stem in ("2007_000032", "2007_000039", "2007_000033", "2008_unlisted"):
        photograph(base / "JPEGImages" / f"{stem}.jpg")
        mask(base / "SegmentationClass" / f"{stem}.png", values, palette)
    return root


def ade(root: Path, values: np.ndarray, *, names: bool = True) -> Path:
    base = root / "ADEChallengeData2016"
    for split, stems in (("training", ("ADE_train_1", "ADE_train_2")), ("validation", ("ADE_v",))):
        for stem in stems:
            photograph(base / "images" / split / f"{stem}.jpg")
            mask(base / "annotations" / split / f"{stem}.png", values)
    if names:
        lines = [f"{n}\t0.1\t1\t1\t0\tthing {n}, synonym" for n in range(1, 151)]
        text = "Idx\tRatio\tTrain\tVal\tStuff\tName\n" + "\n".join(lines)
        (base / "objectInfo150.txt").write_text(text)
    return root


def initialised(root: Path, out: Path) -> tuple[Dataset, str]:
    """What `trainer init` says of a folder, and what its dataset.toml is read as."""
    result = CliRunner().invoke(main, ["init", str(root), "--out", str(out / "dataset.toml")])
    assert result.exit_code == 0, result.output
    return dataset.read(out / "dataset.toml"), result.output


def truth(found: Dataset, index: int = 0) -> np.ndarray:
    name = found.train.images.names[index]
    path = found.train.mask(name)
    assert path is not None
    return masks.read(path, found.classes, found.train.ids)


def test_cityscapes_by_label_ids(tmp_path: Path) -> None:
    values = spread([*LABEL_IDS, 0, 5, 29, 255])
    found, said = initialised(cityscapes(tmp_path / "c", "labelIds", values), tmp_path)
    assert "layout: Cityscapes" in said
    assert "train: 2 images" in said
    assert "  7 road" in said
    assert " 29 ignored" in said
    assert found.size == (256, 512)
    assert len(found.classes) == 19
    assert found.classes.names[13] == "car"
    assert found.val is not None
    assert len(found.val.images) == 1
    np.testing.assert_array_equal(truth(found), spread([*range(19), 255, 255, 255, 255]))


def test_cityscapes_prefers_train_ids(tmp_path: Path) -> None:
    cityscapes(tmp_path, "labelIds", spread(LABEL_IDS))
    cityscapes(tmp_path, "labelTrainIds", spread([*range(19), 19, 255]))
    found, _ = initialised(tmp_path, tmp_path)
    np.testing.assert_array_equal(truth(found), spread([*range(19), 255, 255]))


def test_voc_is_read_by_the_index_of_its_palette(tmp_path: Path) -> None:
    found, said = initialised(voc(tmp_path, spread([0, 1, 20, 255])), tmp_path)
    assert "layout: PASCAL VOC 2012" in said
    assert found.train.images.names == ("2007_000032.jpg", "2007_000039.jpg")
    assert found.size == (496, 496)
    assert len(found.classes) == 21
    assert found.classes.colours[:2] == ((0, 0, 0), (128, 0, 0))
    assert found.classes.colours[20] == (0, 64, 128)  # tvmonitor, in VOC's own palette
    np.testing.assert_array_equal(truth(found), spread([0, 1, 20, 255]))


def test_ade_counts_from_one_and_zero_is_ignored(tmp_path: Path) -> None:
    found, said = initialised(ade(tmp_path, spread([0, 1, 2, 150])), tmp_path)
    assert "layout: ADE20K" in said
    assert found.size == (320, 320)
    assert found.classes.names[0] == "thing 1"
    assert len(found.classes) == 150
    np.testing.assert_array_equal(truth(found), spread([255, 0, 1, 149]))


def test_ade_without_its_list_of_names(tmp_path: Path) -> None:
    found, _ = initialised(ade(tmp_path, spread([1]), names=False), tmp_path)
    assert found.classes.names[149] == "class 150"


def rgb(root: Path) -> Path:
    voc(root, spread([0]))
    for path in root.rglob("SegmentationClass/*.png"):
        Image.new("RGB", SIZE[::-1]).save(path)
    return root


def without_masks(root: Path) -> Path:
    for path in cityscapes(root, "labelIds", spread(LABEL_IDS)).rglob("*_labelIds.png"):
        path.unlink()
    return root


def missing(root: Path) -> Path:
    next(voc(root, spread([0])).rglob("JPEGImages/2007_000032.jpg")).unlink()
    return root


WRONG: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "train ids under the other name": (
        lambda root: cityscapes(root, "labelIds", spread([*range(19), 255])),
        "hold train ids under the name labelIds",
        "rename them to *_gtFine_labelTrainIds.png",
    ),
    "label ids under the other name": (
        lambda root: cityscapes(root, "labelTrainIds", spread(LABEL_IDS)),
        "hold label ids under the name labelTrainIds",
        "rename them to *_gtFine_labelIds.png",
    ),
    "no masks": (without_masks, "holds neither", "unpack gtFine_trainvaltest.zip"),
    "VOC in colours": (rgb, "is an RGB picture", "take SegmentationClass from"),
    "a listed image is missing": (missing, "names 2007_000032, whose image", "unpack"),
    "the full ADE20K": (
        lambda root: ade(root, spread([0, 151])),
        "is no mask of the 150 classes",
        "take ADEChallengeData2016.zip",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_copy_is_refused_with_what_is_wrong(case: str, tmp_path: Path) -> None:
    make, said, remedy = WRONG[case]
    result = CliRunner().invoke(
        main, ["init", str(make(tmp_path / "d")), "--out", str(tmp_path / "dataset.toml")]
    )
    assert result.exit_code == 5, result.output
    assert said in result.output
    assert remedy in result.output
    assert not (tmp_path / "dataset.toml").exists()


def test_a_value_that_no_class_has_is_refused(tmp_path: Path) -> None:
    found, _ = initialised(cityscapes(tmp_path, "labelIds", spread(LABEL_IDS)), tmp_path)
    odd = found.train.mask(found.train.images.names[1])
    assert odd is not None
    mask(odd, spread([7, 77]))
    with pytest.raises(BadDataset, match="holds the value 77"):
        truth(found, 1)


@pytest.mark.parametrize("extra", ['names = ["a", "b"]', "ignore = 0"])
def test_other_classes_than_the_datasets_are_refused(extra: str, tmp_path: Path) -> None:
    cityscapes(tmp_path, "labelIds", spread(LABEL_IDS))
    text = f'version = 1\nlayout = "cityscapes"\nsize = "24x32"\n[classes]\n{extra}\n'
    if "names" in extra:
        text += 'colours = ["#000001", "#000002"]\n'
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(BadDataset, match="has 19 classes, 255 = ignore"):
        dataset.read(tmp_path / "dataset.toml")
