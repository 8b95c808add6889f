"""`trainer init` in the folders that tools and people make: what it finds, says and refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from click.testing import CliRunner, Result
from PIL import Image

from scorer.images.colours import Colour, hexadecimal
from scorer.labels import store
from trainer import dataset, headers, masks
from trainer.cli import main
from trainer.dataset import Dataset

SIZE = (12, 16)
RED, GREEN, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 0)


def photograph(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """No two are alike."""
    key = [ord(letter) for letter in path.as_posix()[-30:]]
    return trees.save(path, np.random.default_rng(key).integers(0, 256, (*size, 3), np.uint8))


def mask(path: Path, values: object = (0, 1, 2), size: tuple[int, int] = SIZE) -> Path:
    """Every value occurs; colours are values of three channels."""
    few = np.array(values, np.uint8)
    places = np.arange(size[0] * size[1]).reshape(size) % len(few)
    return trees.save(path, few[places])


def pairs(
    images: Path, into: Path, *stems: str, pattern: str = "{}.png", values: object = (0, 1, 2)
) -> None:
    for stem in stems:
        photograph(images / f"{stem}.jpg")
        mask(into / pattern.format(stem), values)


def init(root: Path, *words: object) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    result = CliRunner().invoke(main, ["init", str(root), *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def found(root: Path, *words: object) -> tuple[Dataset, str]:
    """What is read from the dataset.toml that is written, every mask of it, and what was said."""
    result = init(root, *words)
    assert result.exit_code == 0, result.output
    read = dataset.read(root / "dataset.toml")
    for split in filter(None, (read.train, read.val)):
        for name in split.images.names:
            if (path := split.mask(name)) is not None:
                masks.read(path, read.classes, split.ids)
    return read, result.output


def names(split: object) -> list[str]:
    return list(split.images.names) if split else []  # type: ignore[attr-defined]


def _inside(root: Path) -> None:
    for name in ("train", "val", "test"):
        pairs(root / "images" / name, root / "masks" / name, f"{name}1")


def _mmseg(root: Path) -> None:
    for name in ("train", "val"):
        pairs(root / "img_dir" / name, root / "ann_dir" / name, f"{name}1")


def _masks_together(root: Path) -> None:
    for name in ("train", "validation"):
        pairs(root / "Images" / name, root / "Masks", f"{name[:5].removesuffix('id')}1")


def _outside(root: Path) -> None:
    for name in ("train", "valid"):
        pairs(root / name / "images", root / name / "labels", f"{name[:5].removesuffix('id')}1")


def _beside(root: Path) -> None:
    for name in ("train", "val"):
        pairs(root / name, root / f"{name}_masks", f"{name}1", pattern="{}_mask.png")


def _folders_of_images(root: Path) -> None:
    for name in ("train", "val"):
        pairs(root / f"{name}_images", root / f"{name}_labels", f"{name}1")


def _mixed(root: Path) -> None:
    for name in ("train", "valid"):
        stem = f"{name[:5].removesuffix('id')}1"
        pairs(root / name, root / name, stem, pattern="{}_mask.png")


def _lists(root: Path) -> None:
    pairs(root / "JPEGImages", root / "SegmentationClass", "train1", "val1", "rest")
    _write_lists(root / "ImageSets" / "Segmentation", train="train1", val="val1")
    (root / "labels.txt").write_text("__ignore__\n_background_\na\nb\n")


def _write_lists(folder: Path, **stems: str) -> None:
    folder.mkdir(parents=True)
    for name, stem in stems.items():
        (folder / f"{name}.txt").write_text(f"{stem}\n")


def _inner(root: Path) -> None:
    pairs(root / "images", root / "masks", "train1")
    pairs(root / "val" / "images", root / "val" / "masks", "val1")


def _deep(root: Path) -> None:
    _inside(root / "export" / "data")


SPLITS = {
    "images/train": _inside, "mmsegmentation": _mmseg, "masks together": _masks_together,
    "train/images": _outside, "train_masks": _beside, "train_images": _folders_of_images,
    "Roboflow": _mixed, "lists": _lists, "val/images": _inner, "in a folder alone": _deep,
}  # fmt: skip


@pytest.mark.parametrize("kind", SPLITS)
def test_images_of_the_validation_are_never_trained_on(tmp_path: Path, kind: str) -> None:
    SPLITS[kind](tmp_path)
    read, said = found(tmp_path)
    assert [Path(name).stem for name in names(read.train)] == ["train1"]
    assert [Path(name).stem for name in names(read.val)] == ["val1"]
    assert "1 of 1 images have a mask" in said
    assert "of training images" not in said
    assert "of a training image" not in said
    for split in (read.train, read.val):
        assert split is not None
        path = split.mask(split.images.names[0])
        assert path is not None
        assert path.is_file()


def test_what_is_neither_is_said(tmp_path: Path) -> None:
    _inside(tmp_path)
    assert "images/test/ is not used" in found(tmp_path)[1]


def test_images_that_train_and_measure_are_said(tmp_path: Path) -> None:
    _inside(tmp_path)
    shutil.copytree(tmp_path / "images" / "train", tmp_path / "images" / "val", dirs_exist_ok=True)
    shutil.copytree(tmp_path / "masks" / "train", tmp_path / "masks" / "val", dirs_exist_ok=True)
    assert "1 image of the validation is a copy of a training image" in found(tmp_path)[1]


def test_copies_under_other_names_are_said(tmp_path: Path) -> None:
    _inside(tmp_path)
    images, masks = tmp_path / "images", tmp_path / "masks"
    (own,) = (images / "train").iterdir()
    for name in ("other", "third"):
        shutil.copy(own, images / "val" / f"{name}{own.suffix}")
        shutil.copy(next((masks / "val").iterdir()), masks / "val" / f"{name}.png")
    said = found(tmp_path)[1]
    assert "2 images of the validation are copies of training images, such as images/val/" in said
    assert f"other{own.suffix} of images/train/{own.name}" in said


def test_a_list_for_training_leaves_the_folder_of_the_validation(tmp_path: Path) -> None:
    _inner(tmp_path)
    pairs(tmp_path / "images", tmp_path / "masks", "rest1", "rest2")
    (tmp_path / "train.txt").write_text("train1\n")
    read, said = found(tmp_path)
    assert names(read.train) == ["train1.jpg"]
    assert names(read.val) == ["val1.jpg"]
    assert "not in train.txt, and not used: 2 images, such as rest1.jpg" in said
    (tmp_path / "dataset.toml").unlink()
    (tmp_path / "val.txt").write_text("rest1\n")
    read, said = found(tmp_path)
    assert names(read.val) == ["rest1.jpg"]
    assert "val/ is not used" in said
    assert "neither in train.txt nor in val.txt, and not used: 1 image" in said


def test_lists_that_name_one_image_twice_are_refused(tmp_path: Path) -> None:
    pairs(tmp_path / "JPEGImages", tmp_path / "SegmentationClass", "a", "b", "c")
    _write_lists(tmp_path / "ImageSets" / "Segmentation", train="a\nb", val="b\nc")
    refused(tmp_path, "1 of the 2 images of the validation are also learned from, such as b.jpg")


def test_images_of_one_name_that_differ_are_different(tmp_path: Path) -> None:
    for name in ("train", "val"):
        pairs(tmp_path / "images" / name, tmp_path / "masks" / name, "0001")
    assert "also learned from" not in found(tmp_path)[1]


PATTERNS = (
    "{}_mask.png", "{}-mask.png", "{}_label.png", "{}_L.png", "{}.jpg.png", "mask_{}.png",
    "{}_gtFine_labelIds.png", "{}.tif", "{}_segmentation.bmp", "{}_mask.PNG",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("stems", [("a", "b"), ("1", "11", "111")])
def test_masks_are_found_whatever_word_goes_with_their_names(
    tmp_path: Path, pattern: str, stems: tuple[str, ...]
) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", *stems, pattern=pattern)
    read, said = found(tmp_path)
    assert f"{len(stems)} of {len(stems)} images have a mask" in said
    for stem in stems:
        assert read.train.mask(f"{stem}.jpg") == tmp_path / "masks" / pattern.format(stem)


@pytest.mark.parametrize("pattern", ["{}_mask.png", "{}_seg.png", "{}_labels.tif"])
def test_masks_that_lie_among_their_images_are_no_images(tmp_path: Path, pattern: str) -> None:
    pairs(tmp_path, tmp_path, "a", "b", pattern=pattern)
    read, said = found(tmp_path)
    assert names(read.train) == ["a.jpg", "b.jpg"]
    assert "masks lie among them" in said


def test_a_folder_of_images_alone_is_labelled_next(tmp_path: Path) -> None:
    for name in ("a.jpg", "a_1.jpg", "b.jpg"):
        photograph(tmp_path / name)
    read, said = found(tmp_path)
    assert names(read.train) == ["a.jpg", "a_1.jpg", "b.jpg"]
    assert read.train.masks is None
    assert f"next: cd {tmp_path} && trainer live --pool ." in said


def test_folders_of_thumbnails_are_no_folders(tmp_path: Path) -> None:
    for name in ("a.jpg", "@eaDir/a.jpg/THUMB.jpg", "__MACOSX/._a.jpg", ".thumbnails/a.jpg"):
        photograph(tmp_path / name)
    assert names(found(tmp_path)[0].train) == ["a.jpg"]


def test_images_beside_a_folder_that_may_hold_their_masks_are_not_guessed(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg")
    mask(tmp_path / "painted" / "a.png")
    refused(tmp_path, "no folder of images", "painted/a.png")


def test_supervisely_is_read_with_its_machine_masks(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")
    (tmp_path / "ds" / "ann").mkdir(parents=True)
    pairs(tmp_path / "ds" / "img", tmp_path / "ds" / "masks_machine", "a", values=(0, 3, 7))
    (tmp_path / "obj_class_to_machine_color.json").write_text('{"car": [7, 7, 7], "road": [3,3,3]}')
    read, _ = found(tmp_path)
    assert read.classes.names == ("background", "road", "car")
    assert truth(read) == {0, 1, 2}


def truth(read: Dataset) -> set[int]:
    """The classes in the mask of the first image."""
    path = read.train.mask(read.train.images.names[0])
    assert path is not None
    return set(np.unique(masks.read(path, read.classes, read.train.ids)).tolist())


NAMED = {
    "classes.txt": ("_background_\nroad\nsky\n", ("_background_", "road", "sky")),
    "class_names.txt": ("a\nb\nc\n", ("a", "b", "c")),
    "labels.txt": ("__ignore__\n_background_\nroad\nsky\n", ("_background_", "road", "sky")),
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:255,0,0::\nsky:0,255,0::\n",
        ("background", "road", "sky"),
    ),
    "_classes.csv": (
        "Pixel Value, Class\n0, background\n1, road\n2, sky\n",
        ("background", "road", "sky"),
    ),
    "class_dict.csv": ("name,r,g,b\na,0,0,0\nb,255,0,0\nc,0,255,0\n", ("a", "b", "c")),
    "classes.csv": ("id,name\n0,a\n1,b\n2,c\n", ("a", "b", "c")),
    "label_colors.txt": ("0 0 0\ta\n255 0 0\tb\n0 255 0\tc\n", ("a", "b", "c")),
}


@pytest.mark.parametrize("where", ["", "images"])
@pytest.mark.parametrize("name", NAMED)
def test_class_names_are_read_from_the_files_of_annotation_tools(
    tmp_path: Path, name: str, where: str
) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    text, expected = NAMED[name]
    (tmp_path / where / name).write_text(text)
    read, said = found(tmp_path)
    assert read.classes.names == expected
    assert "not known" not in said
    assert truth(read) == {0, 1, 2}


@pytest.mark.parametrize("name", ["labelmap.txt", "class_dict.csv", "label_colors.txt"])
def test_masks_in_colours_are_read_by_the_colours_of_such_a_file(tmp_path: Path, name: str) -> None:
    pairs(tmp_path / "JPEGImages", tmp_path / "SegmentationClass", "a", values=(BLACK, RED, GREEN))
    (tmp_path / name).write_text(NAMED[name][0])
    read, said = found(tmp_path)
    assert truth(read) == {0, 1, 2}
    assert read.classes.colours == (BLACK, RED, GREEN)
    assert f"#ff0000 {NAMED[name][1][1]}" in said


def test_a_colour_that_no_class_has_is_named(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=(BLACK, RED, (1, 2, 3)))
    (tmp_path / "class_dict.csv").write_text(NAMED["class_dict.csv"][0])
    refused(tmp_path, "#010203", "class_dict.csv does not name")


def test_colours_that_nobody_names_are_a_class_each(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=(BLACK, RED, GREEN))
    read, said = found(tmp_path)
    assert read.classes.names == ("background", "class 1", "class 2")
    assert truth(read) == {0, 1, 2}
    assert "class names are not known" in said


def refused(root: Path, *words: str) -> None:
    """Nothing is written, and what is wrong is said with a remedy."""
    result = init(root)
    assert result.exit_code == 5, result.output
    for word in words:
        assert word in result.output
    assert len(result.output.splitlines()) > 1
    assert not (root / "dataset.toml").exists()


@pytest.mark.parametrize("text", ["road\nsky\n", "0: road\n1: sky\n"])
def test_names_without_the_background_are_not_guessed(tmp_path: Path, text: str) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / "classes.txt").write_text(text)
    if text.startswith("0"):
        assert "does not name the values 2" in found(tmp_path)[1]
    else:
        refused(tmp_path, "classes.txt has 2 names", "values 0 to 2", "_background_")


@pytest.mark.parametrize(
    ("values", "text", "expected"),
    [
        ((0, 255), "", ("background", "foreground")),
        ((0, 255), "sky\nroad\n", ("sky", "road")),
        ((0, 128, 200), "", ("class 0", "class 128", "class 200")),
        ((0, 128, 200), "a\nb\nc\n", ("a", "b", "c")),
        ((0, 38, 75), "0 a\n38 b\n75 c\n", ("a", "b", "c")),
        ((0, 38, 255), "", ("class 0", "class 38")),
    ],
)
def test_values_that_do_not_count_from_zero_are_classes(
    tmp_path: Path, values: tuple[int, ...], text: str, expected: tuple[str, ...]
) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=values)
    if text:
        (tmp_path / "classes.txt").write_text(text)
    read, _ = found(tmp_path)
    assert read.classes.names == expected
    assert truth(read) == {*range(len(expected))} | (
        {255} if 38 in values and 255 in values else set()
    )


def test_grey_levels_are_no_classes(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=range(0, 190))
    refused(tmp_path, "190 different values", "PNG")


def test_masks_that_label_nothing_are_refused(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=(255,))
    refused(tmp_path, "255 alone")


def _half(root: Path) -> None:
    photograph(root / "images" / "a.jpg")
    mask(root / "masks" / "a.png", size=(6, 8))


def _turned(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = photograph(root / "images" / "a.jpg")
    Image.open(path).save(path, exif=exif)
    mask(root / "masks" / "a.png")


def _jpeg(root: Path) -> None:
    pairs(root / "images", root / "masks", "a", pattern="{}.jpg")


def _other_names(root: Path) -> None:
    photograph(root / "images" / "a.jpg")
    mask(root / "masks" / "0001.png")


def _json(root: Path) -> None:
    photograph(root / "images" / "a.jpg")
    (root / "annotations").mkdir()
    (root / "annotations" / "instances.json").write_text("{}")


def _no_images(root: Path) -> None:
    mask(root / "SegmentationClass" / "a.png")
    (root / "labelmap.txt").write_text(NAMED["labelmap.txt"][0])


UNTRAINABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "masks of half the size": (_half, "is 6x8, its image 12x16"),
    "masks that are not turned": (_turned, "turned upright"),
    "masks as JPEG": (_jpeg, "are JPEG files"),
    "masks of other names": (_other_names, "it holds 0001.png"),
    "annotations as JSON": (_json, "holds JSON files, and no masks"),
    "masks without images": (_no_images, "no folder of images beside SegmentationClass/"),
}


@pytest.mark.parametrize("kind", UNTRAINABLE)
def test_what_cannot_be_trained_on_is_refused(tmp_path: Path, kind: str) -> None:
    make, message = UNTRAINABLE[kind]
    make(tmp_path)
    refused(tmp_path, message)


def test_some_masks_that_cannot_be_used_are_named_with_their_exit_code(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", "b")
    mask(tmp_path / "masks" / "b.png", size=(6, 8))
    result = init(tmp_path)
    assert result.exit_code == 4
    assert "1 of 2 images have a mask, 1 an unusable one" in result.output
    assert "cannot be used: mask of another size" in result.output
    assert (tmp_path / "dataset.toml").exists()


def test_labels_are_said_and_name_the_classes(tmp_path: Path) -> None:
    photograph(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels.csv").write_text("image,row,col,label\na.jpg,1,2,sky\na.jpg,3,4,road\n")
    read, said = found(tmp_path)
    assert read.classes.names == ("road", "sky")
    assert read.train.labels == tmp_path / "labels.csv"
    assert "labels.csv: 2 pixels" in said
    assert "no masks" not in said
    assert "not known" not in said
    assert "next: trainer fit" in said


def test_a_label_store_is_taken_too(tmp_path: Path) -> None:
    photograph(tmp_path / "images" / "a.jpg")
    store.Store(tmp_path / "labels.db", ("sky", "road")).close()
    read, said = found(tmp_path)
    assert read.classes.names == ("sky", "road")
    assert read.train.labels == tmp_path / "labels.db"
    assert "labels.db: 0 pixels" in said


def test_classes_may_be_given(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    read, said = found(tmp_path, "--classes", "ground,road,sky")
    assert read.classes.names == ("ground", "road", "sky")
    assert "not known" not in said
    assert init(tmp_path, "--force", "--classes", "one").exit_code == 2


def test_the_next_command_works_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs(tmp_path / "my data" / "images", tmp_path / "my data" / "masks", "a")
    monkeypatch.chdir(tmp_path)
    assert "next: trainer fit --data 'my data/dataset.toml'" in init(Path("my data")).output
    assert "next: trainer fit\n" in init(Path("my data"), "--out", "dataset.toml").output
    monkeypatch.chdir(tmp_path / "my data")
    assert "next: trainer fit\n" in init(Path(), "--force").output


def _custom_voc(root: Path, values: tuple[int, ...]) -> Path:
    base = root / "VOCdevkit" / "VOC2012"
    pairs(base / "JPEGImages", base / "SegmentationClass", "t", "v", values=values)
    _write_lists(base / "ImageSets" / "Segmentation", train="t", val="v")
    return base


def test_classes_of_ones_own_in_the_layout_of_voc_are_no_aeroplanes(tmp_path: Path) -> None:
    base = _custom_voc(tmp_path, (0, 1, 2))
    (base / "class_names.txt").write_text("_background_\nroad\nbuilding\n")
    read, said = found(tmp_path)
    assert read.classes.names == ("_background_", "road", "building")
    assert (names(read.train), names(read.val)) == (["t.jpg"], ["v.jpg"])
    assert "aeroplane" not in said


def test_what_voc_lacks_is_said(tmp_path: Path) -> None:
    _custom_voc(tmp_path, (0, 1, 37))
    refused(tmp_path, "hold 37", "has 21 classes", "class_names.txt")
    _custom_voc(tmp_path / "few", (0, 1, 2))
    said = found(tmp_path / "few")[1]
    assert "only 3 of the 21 classes occur" in said
    assert "--classes" in said


def test_voc_itself_with_its_own_names_is_voc(tmp_path: Path) -> None:
    from trainer.layouts.voc2012 import NAMES

    base = _custom_voc(tmp_path, tuple(range(21)))
    (base / "class_names.txt").write_text("\n".join(NAMES))
    assert "layout: PASCAL VOC 2012" in found(tmp_path)[1]


def test_a_link_that_leads_to_itself_does_not_stop_init(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    (tmp_path / "masks" / "b.png").symlink_to("b.png")
    (tmp_path / "around").symlink_to("around")
    (tmp_path / "images" / "around").symlink_to(tmp_path / "images")
    assert names(found(tmp_path)[0].train) == ["a.jpg"]
    assert init(tmp_path, "--out", tmp_path / "around" / "dataset.toml").exit_code == 6
    (tmp_path / "images" / "b.jpg").symlink_to("b.jpg")
    assert init(tmp_path, "--force").exit_code == 4


@pytest.mark.parametrize("count", [2, 11, 22])
def test_colours_that_are_chosen_lie_far_apart(tmp_path: Path, count: int) -> None:
    from scorer.images.colours import lab

    pairs(tmp_path / "images", tmp_path / "masks", "a", values=range(count))
    colours: tuple[Colour, ...] = found(tmp_path)[0].classes.colours
    places = lab(np.array(colours))
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + 1000 * np.eye(count)
    assert apart.min() > 35, list(map(hexadecimal, colours))


def test_of_a_large_folder_some_files_alone_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorer.pools import folder

    monkeypatch.setattr(headers, "MOST", headers.LOOKED_AT + 10)
    count = headers.LOOKED_AT + 300
    photograph(tmp_path / "images" / "0.jpg")
    for index in range(1, count):
        (tmp_path / "images" / f"{index}.jpg").symlink_to("0.jpg")
    looked: list[str] = []
    original = folder.of_file
    monkeypatch.setattr(
        folder, "of_file", lambda name, *more: looked.append(name) or original(name, *more)
    )
    said = init(tmp_path).output
    assert f"images/: {count} images" in said
    assert f"looked at: {headers.MOST} of these {count}" in said
    assert len(set(looked)) == headers.MOST
    assert sorted((tmp_path / "images").iterdir())[-1].name in looked, "the last one, too"


def test_masks_of_another_size_are_found_behind_the_first_files(tmp_path: Path) -> None:
    for index in range(headers.LOOKED_AT + 3):
        pairs(tmp_path / "images", tmp_path / "masks", f"{index:04}")
    mask(tmp_path / "masks" / f"{headers.LOOKED_AT + 1:04}.png", size=(6, 8))
    result = init(tmp_path)
    assert result.exit_code == 4
    assert f"{headers.LOOKED_AT + 1:04}.png is 6x8, its image 12x16" in result.output


def test_masks_of_the_validation_are_compared_too(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "val"):
        pairs(root / "images", root / "masks", f"a{root.name[:1]}", "b")
    mask(tmp_path / "val" / "masks" / "b.png", size=(6, 8))
    result = init(tmp_path)
    assert result.exit_code == 4
    assert "val/masks/b.png is 6x8, its image 12x16" in result.output


HEADS = {
    "a.heic": (b"\0\0\0\x18ftypheic", "HEIC file"),
    "b.heif": (b"\0\0\0\x18ftypmif1", "HEIC file"),
    "c.jxl": (b"\xff\x0a", "JPEG XL file"),
    "d.avif": (b"\0\0\0\x18ftypmp42", "video file"),
}


@pytest.mark.parametrize("name", HEADS)
def test_images_that_nobody_can_read_are_counted_by_their_format(tmp_path: Path, name: str) -> None:
    """Also behind the first files, and where there are no masks."""
    head, said = HEADS[name]
    photograph(tmp_path / "images" / "0.jpg")
    for index in range(1, headers.LOOKED_AT):
        (tmp_path / "images" / f"{index}.jpg").symlink_to("0.jpg")
    for folder in ("y", "z"):
        path = tmp_path / "images" / folder / name
        path.parent.mkdir()
        path.write_bytes(head + bytes(20))
    result = init(tmp_path)
    assert result.exit_code == 4
    assert f"cannot be read: 2 images, {said}, such as y/{name}" in result.output


def test_a_folder_of_them_alone_is_refused_by_their_format(tmp_path: Path) -> None:
    for name, (head, _) in HEADS.items():
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(head + bytes(20))
    result = init(tmp_path)
    assert result.exit_code == 5
    assert "HEIC file (2), JPEG XL file (1), video file (1)" in result.output


def test_names_of_masks_that_begin_with_one_are_taken_in_order(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", "b", values=(1, 2, 3))
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    read, said = found(tmp_path)
    assert read.classes.names == ("sky", "road", "car")
    assert "1 sky, 2 road, 3 car; check this" in said


def test_masks_of_one_class_are_told(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", values=(0,))
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    assert "one class alone" in found(tmp_path)[1]


def test_a_list_of_the_validation_alone_is_refused(tmp_path: Path) -> None:
    """Its images would be trained on."""
    pairs(tmp_path / "images", tmp_path / "masks", "a", "b")
    (tmp_path / "val.txt").write_text("b\n")
    refused(tmp_path, "names images for the validation, and no list names those for training")


def test_a_folder_of_the_validation_without_masks_is_said(tmp_path: Path) -> None:
    """It is no list: nothing of it is trained on."""
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    photograph(tmp_path / "val" / "images" / "b.jpg")
    read, said = found(tmp_path)
    assert (names(read.train), read.val) == (["a.jpg"], None)
    assert "val/ is not used" in said


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_lists_divide_a_flat_folder(tmp_path: Path, name: str) -> None:
    pairs(tmp_path, tmp_path, "a", "b", "c", pattern="{}_mask.png")
    (tmp_path / "train.txt").write_text("a\n")
    (tmp_path / f"{name}.txt").write_text("b\n")
    read, said = found(tmp_path)
    assert (names(read.train), names(read.val)) == (["a.jpg"], ["b.jpg"])
    assert f"neither in train.txt nor in {name}.txt, and not used: 1 image, such as c.jpg" in said


def test_folders_and_lists_that_serve_no_split_are_said(tmp_path: Path) -> None:
    _inside(tmp_path)
    pairs(tmp_path / "test" / "images", tmp_path / "test" / "masks", "other")
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt").write_text(f"{name}1\n")
    said = found(tmp_path)[1]
    unused = {line.split()[0] for line in said.splitlines() if line.endswith(" is not used")}
    assert unused == {"train.txt", "val.txt", "test.txt", "test/", "images/test/"}


def test_a_validation_without_masks_is_said_and_not_written(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    photograph(tmp_path / "images" / "b.jpg")
    _write_lists(tmp_path / "splits", train="a", val="b")
    read, said = found(tmp_path)
    assert read.val is None
    assert "validation: splits/val.txt is not used, as none of its images has a mask" in said


def test_masks_of_the_validation_are_counted(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a", "b")
    photograph(tmp_path / "images" / "c.jpg")
    _write_lists(tmp_path / "splits", train="a", val="b\nc")
    assert "1 of 2 images have a mask" in init(tmp_path).output


def test_labels_in_a_table_beside_a_store_are_said(tmp_path: Path) -> None:
    pairs(tmp_path / "images", tmp_path / "masks", "a")
    store.Store(tmp_path / "labels.db", ("class 0", "class 1", "class 2")).close()
    (tmp_path / "labels.csv").write_text("image,row,col,label\na.jpg,1,2,0\n")
    said = found(tmp_path)[1]
    assert "labels.csv is not used, as there is labels.db; import it with: scorer labels" in said
    assert 'labels = "labels.db"' in (tmp_path / "dataset.toml").read_text()
