"""dataset.toml: what it may say, and how it is refused."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import photographs
import pytest
import trees
from click.testing import CliRunner

from scorer.errors import BadDataset
from scorer.images.colours import default_colours
from scorer.images.photograph import load
from trainer import dataset
from trainer.cli import main
from trainer.layouts import camvid


def edited(root: Path, old: str, new: str) -> Path:
    """The dataset.toml of a folders tree with one thing changed."""
    path = trees.folders(root, images=1, val=1) / "dataset.toml"
    text = path.read_text("utf-8")
    assert old in text, "the case changes nothing"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_folders_layout_is_read_whole(tmp_path: Path) -> None:
    trees.folders(tmp_path, images=3, val=2, size=(32, 48))
    found = dataset.read(tmp_path / "dataset.toml")
    assert found.size == (32, 48)
    assert found.classes == dataset.Classes(
        names=trees.NAMES, colours=((40, 40, 40), (220, 40, 40), (60, 220, 220)), ignore=255
    )
    assert len(found.classes) == 3
    assert found.train.images.names == ("toy_00.png", "toy_01.png", "toy_02.png")
    assert found.train.images.where == str(tmp_path / "images")
    assert found.train.masks == tmp_path / "masks"
    assert found.train.labels is None
    assert found.val is not None
    assert found.val.images.names == ("toy_00.png", "toy_01.png")
    assert found.val.masks == tmp_path / "val" / "masks"


OVERLAPS = {
    "one folder": 'images = "images"\n',
    "its other name": 'images = "val/../images"\n',
    "a folder around it": 'images = "."\n',
    "a list": 'images = "images"\nlist = "val.txt"\n',
    "the same archive": 'images = "pool.tar"\n',
    "a pool that is a list": 'images = "listed.txt"\n',
}


@pytest.mark.parametrize("kind", OVERLAPS)
def test_an_image_is_learned_from_or_measured_on(tmp_path: Path, kind: str) -> None:
    path = trees.folders(tmp_path, images=3, val=1) / "dataset.toml"
    (tmp_path / "val.txt").write_text("toy_01.png\n")
    (tmp_path / "listed.txt").write_text("images/toy_01.png\n")
    with tarfile.open(tmp_path / "pool.tar", "w") as archive:
        archive.add(tmp_path / "images" / "toy_01.png", "toy_01.png")
    text = path.read_text("utf-8").replace('images = "val/images"\n', OVERLAPS[kind])
    if kind == "the same archive":
        text = text.replace('images = "images"\n', OVERLAPS[kind])
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadDataset, match="of the validation are also learned from, such as") as one:
        dataset.read(path)
    assert "toy_0" in str(one.value)
    assert "one of the lists" in one.value.remedy
    for words in (["fit"], ["evaluate", "--masks", str(tmp_path / "masks")]):
        result = CliRunner().invoke(main, [*words, "--data", str(path)])
        assert result.exit_code == 5
        assert "are also learned from" in result.output


def test_a_camvid_layout_is_read_whole(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    found = dataset.read(trees.write_camvid_toml(tmp_path))
    assert found.size == (48, 64)
    assert found.classes.names == tuple(trees.CAMVID_NAMES)
    assert found.classes.ignore == 11
    assert len(set(found.classes.colours)) == 11
    assert found.train.images.names == ("train_000.png", "train_001.png")  # of three in the folder
    assert found.train.masks == tmp_path / "trainannot"
    assert found.val is not None
    assert found.val.images.names == ("val_000.png", "val_001.png")
    assert found.val.masks == tmp_path / "valannot"


def test_camvid_without_val_has_no_validation_split(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    shutil.rmtree(tmp_path / "val")
    assert dataset.read(trees.write_camvid_toml(tmp_path)).val is None


def test_camvid_takes_labels_for_train(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    found = dataset.read(trees.write_camvid_toml(tmp_path, '[train]\nlabels = "clicks.csv"\n'))
    assert found.train.labels == tmp_path / "clicks.csv"


def test_paths_start_from_the_folder_of_dataset_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.folders(tmp_path / "here", images=2, val=0)
    monkeypatch.chdir(tmp_path)
    assert len(dataset.read(Path("here/dataset.toml")).train.images) == 2


@pytest.mark.parametrize("absolute", [True, False])
def test_root_moves_the_folders(tmp_path: Path, absolute: bool) -> None:
    path = edited(tmp_path / "data", "version = 1", "version = 1\nroot = 'ROOT'")
    root = (tmp_path / "data").as_posix() if absolute else "data"
    moved = tmp_path / "elsewhere.toml"
    moved.write_text(path.read_text("utf-8").replace("ROOT", root), encoding="utf-8")
    found = dataset.read(moved)
    assert found.train.mask("toy_00.png") == tmp_path / "data" / "masks" / "toy_00.png"


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = trees.folders(tmp_path, images=1, val=0) / "dataset.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert dataset.read(path).classes.names == trees.NAMES


def test_masks_and_labels_are_both_optional(tmp_path: Path) -> None:
    path = edited(tmp_path, 'masks = "masks"', "")
    found = dataset.read(path)
    assert found.train.masks is None
    assert found.train.mask("toy_00.png") is None


@pytest.mark.parametrize(
    ("image", "mask"),
    [("a.png", "a.png"), ("a.jpg", "a.png"), ("a/b.jpeg", "a/b.png"), ("v1.2_a.jpg", "v1.2_a.png")],
)
def test_a_mask_has_the_path_of_its_image_and_ends_in_png(
    tmp_path: Path, image: str, mask: str
) -> None:
    found = dataset.read(trees.folders(tmp_path, images=1, val=0) / "dataset.toml")
    assert found.train.mask(image) == tmp_path / "masks" / mask


NAMES = 'names = ["ground", "fire", "ice"]'
COLOURS = 'colours = ["#282828", "#dc2828", "#3cdcdc"]'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 2", "version is 2, expected 1"),
        ("version = 1", "", "version is None"),
        ("version = 1", 'version = "1"', "version is '1'"),
        ("version = 1", "version = 1\nlayout = 'voc'", "layout is 'voc', expected one of folders"),
        ("version = 1", "version = 1\ncolour = 3", "unknown key 'colour'"),
        ("[classes]", "[classes]\nvoid = 3", "unknown key 'void' in [classes]"),
        ("[train]", "[train]\nmask = 3", "unknown key 'mask' in [train]"),
        ("[val]", "[val]\nfolder = 3", "unknown key 'folder' in [val]"),
        ('size = "64x64"', "", "size is missing"),
        ('size = "64x64"', 'size = "64"', "'64' is not a size"),
        ('size = "64x64"', "size = 64", "'64' is not a size"),
        ('size = "64x64"', 'size = "-64x64"', "is not a size"),
        ('size = "64x64"', 'size = "8x64"', "between 32 and 8192"),
        ('size = "64x64"', 'size = "64x9999"', "between 32 and 8192"),
        (NAMES, "", "expected 2 to 255 different names"),
        (NAMES, 'names = ["ground"]', "expected 2 to 255 different names"),
        (NAMES, 'names = ["ground", "ice", "ice"]', "expected 2 to 255 different names"),
        (NAMES, f"names = {[str(i) for i in range(256)]}", "expected 2 to 255 different names"),
        (NAMES, "names = 5", "names"),
        (NAMES, 'names = "abc"', "names"),
        (COLOURS, 'colours = ["#282828", "#dc2828"]', "expected 3 different ones"),
        (COLOURS, 'colours = ["#282828", "#dc2828", "#dc2828"]', "expected 3 different ones"),
        (COLOURS, 'colours = ["#282828", "#dc2828", "cyan"]', 'write them as "#rrggbb"'),
        (COLOURS, 'colours = ["#282828", "#dc2828", "#3cdcdg"]', 'write them as "#rrggbb"'),
        (COLOURS, "colours = [1, 2, 3]", 'write them as "#rrggbb"'),
        (COLOURS, "colours = 5", 'write them as "#rrggbb"'),
        ("ignore = 255", "ignore = 256", "ignore is 256"),
        ("ignore = 255", "ignore = -1", "ignore is -1"),
        ("ignore = 255", 'ignore = "255"', "ignore is '255'"),
        ("ignore = 255", "ignore = true", "ignore is True"),
        ('images = "images"', 'images = "nowhere"', "nowhere is not a folder"),
        ('masks = "masks"', 'masks = "nowhere"', "[train] masks: "),
        ('masks = "val/masks"', 'masks = "nowhere"', "[val] masks: "),
        ('images = "val/images"', 'images = "nowhere"', "[val] images: "),
        ('images = "images"', "", "[train] images is missing"),
        ('[train]\nimages = "images"\nmasks = "masks"', "", "[train] is missing"),
        ("version = 1", "version = 1\ntest = 5", "unknown key 'test'"),
        ('[train]\nimages = "images"\nmasks = "masks"', "train = 5", "train must be a table"),
        ('masks = "val/masks"', "", "[val]"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(BadDataset) as caught:
        dataset.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"version = ", "cannot be read"), (b"\xff\xfe", "cannot be read"), (None, "does not exist")],
)
def test_a_file_that_is_no_toml_is_refused_by_name(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "dataset.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadDataset, match=said) as caught:
        dataset.read(path)
    assert str(path) in str(caught.value)
    assert "trainer init" in caught.value.remedy


def test_a_folder_is_no_dataset_toml(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="cannot be read"):
        dataset.read(tmp_path)


def _without_listed_image(root: Path) -> None:
    (root / "train" / "train_001.png").unlink()


def _without_train(root: Path) -> None:
    shutil.rmtree(root / "train")


def _without_train_masks(root: Path) -> None:
    shutil.rmtree(root / "trainannot")


def _without_val_masks(root: Path) -> None:
    shutil.rmtree(root / "valannot")


def _with_binary_list(root: Path) -> None:
    (root / "train.txt").write_bytes(b"\xff\xfe\x00")


def _with_empty_list(root: Path) -> None:
    (root / "val.txt").write_text("")


def _without_images(root: Path) -> None:
    for path in (root / "train").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_without_listed_image, "train.txt names 1 missing image, such as train_001.png"),
        (_without_train, "[train]"),
        (_without_train_masks, "trainannot"),
        (_without_val_masks, "valannot"),
        (_with_binary_list, "train.txt"),
        (_with_empty_list, "val.txt"),
        (_without_images, "train"),
    ],
)
def test_a_damaged_camvid_tree_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    trees.camvid(tmp_path)
    path = trees.write_camvid_toml(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadDataset) as caught:
        dataset.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("count", [2, 11, 19, 150, 255])
def test_default_colours_are_different_and_none_is_black(count: int) -> None:
    colours = default_colours(count)
    assert len(colours) == len(set(colours)) == count
    assert (0, 0, 0) not in colours
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)


def test_colours_may_be_left_out(tmp_path: Path) -> None:
    path = edited(tmp_path, COLOURS, "")
    assert dataset.read(path).classes.colours == default_colours(3)


def test_camvid_classes_can_be_renamed(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    names = [f"{name} too" for name in camvid.CLASSES["names"]]
    found = dataset.read(trees.write_camvid_toml(tmp_path, f"[classes]\nnames = {names}\n"))
    assert found.classes.names == tuple(names)


def test_the_bit_depth_of_images_stands_behind_their_place(tmp_path: Path) -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    path = edited(tmp_path, 'images = "images"', 'images = "images#bit-depth=12"')
    (tmp_path / "images" / "toy_00.png").write_bytes(photographs.png16(values))
    image = dataset.read(path).train.images.image("toy_00.png")
    assert np.array_equal(load(image, (64, 64)).pixels[..., 0], values >> 4)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ignore = 255", "ignore = 255\nvalues = [0, 1]", "expected 3 different mask values"),
        ("ignore = 255", "ignore = 255\nvalues = [0, 1, 255]", "without that of ignore"),
        ("ignore = 255", "ignore = 255\nvalues = [0, 1, 300]", "from 0 to 255"),
        ('masks = "masks"', 'masks = "masks"\nmask_name = "mask.png"', "{stem}_mask.png"),
        ('masks = "masks"', 'masks = "masks"\nlist = "none.txt"', "none.txt cannot be read"),
    ],
)
def test_keys_of_masks_are_checked(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadDataset, match=said.replace("{", r"\{").replace("}", r"\}")) as caught:
        dataset.read(edited(tmp_path, old, new))
    assert caught.value.remedy
