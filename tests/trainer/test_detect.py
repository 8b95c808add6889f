"""`trainer init`: what is recognised in a folder, and the dataset.toml written for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.errors import BadDataset, Failure
from scorer.images.colours import default_colours
from trainer import dataset
from trainer.dataset import Dataset
from trainer.detect import Detection, detect


def read_back(detection: Detection, folder: Path) -> Dataset:
    """What dataset.read makes of a detection that is written to `folder`."""
    path = folder / "dataset.toml"
    path.write_text(detection.toml, encoding="utf-8")
    return dataset.read(path)


def said(detection: Detection) -> str:
    return "\n".join(detection.findings)


def folders(root: Path, **options: int) -> Path:
    return trees.folders(root, toml=False, size=(40, 64), **options)


def test_a_folder_of_images_and_masks_is_recognised(tmp_path: Path) -> None:
    folders(tmp_path, images=5, val=2)
    detection = detect(tmp_path, written_to=tmp_path)
    found = read_back(detection, tmp_path)
    assert found.size == (40, 64)
    assert len(found.train.images) == 5
    assert found.train.masks == tmp_path / "masks"
    assert found.val is not None
    assert len(found.val.images) == 2
    assert found.classes.names == ("class 0", "class 1", "class 2")
    assert "images/: 5 images, 40x64" in detection.findings
    assert "edit [classes]" in said(detection)


def test_camvid_is_recognised(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    detection = detect(tmp_path, written_to=tmp_path)
    found = read_back(detection, tmp_path)
    assert found.size == (48, 64)
    assert found.classes.names == tuple(trees.CAMVID_NAMES)
    assert found.train.images.names == ("train_000.png", "train_001.png")
    assert found.val is not None
    assert "CamVid" in detection.findings[0]
    assert "48x64" in said(detection)
    assert [line.split()[1] for line in detection.findings if line.endswith("%")] == [
        *trees.CAMVID_NAMES,
        "ignored",
    ]


def test_the_histogram_is_the_share_of_mask_pixels(tmp_path: Path) -> None:
    folders(tmp_path, images=2, val=0)
    mask = np.zeros((40, 64), np.uint8)
    mask[:10] = 2  # a quarter of this mask, an eighth of both
    mask[30:] = 255
    trees.save(tmp_path / "masks" / "toy_00.png", mask)
    trees.save(tmp_path / "masks" / "toy_01.png", np.zeros((40, 64), np.uint8))
    lines = [line.split() for line in detect(tmp_path, written_to=tmp_path).findings]
    shares = {line[0]: line[-1] for line in lines if line[-1].endswith("%")}
    assert shares == {"0": "75.000%", "2": "12.500%", "255": "12.500%"}


def test_class_names_come_from_classes_txt(tmp_path: Path) -> None:
    folders(tmp_path, images=1, val=0)
    (tmp_path / "classes.txt").write_text("\ufeffground\n fire \n\nice\n", encoding="utf-8")
    detection = detect(tmp_path, written_to=tmp_path)
    assert read_back(detection, tmp_path).classes.names == trees.NAMES
    assert "edit [classes]" not in said(detection)


def test_colours_come_from_the_palette_of_the_masks(tmp_path: Path) -> None:
    folders(tmp_path, images=2, val=0)
    for path in (tmp_path / "masks").iterdir():
        with Image.open(path) as image:
            mask = image.copy()
        mask.putpalette(np.ravel([*trees.PAINTS, *[(9, 9, 9)] * 253]).tolist())
        mask.save(path)
    found = read_back(detect(tmp_path, written_to=tmp_path), tmp_path)
    assert found.classes.colours == trees.PAINTS


def test_a_palette_with_equal_colours_is_not_taken(tmp_path: Path) -> None:
    folders(tmp_path, images=1, val=0)
    mask = Image.fromarray(np.resize(np.array([0, 1, 2], np.uint8), (40, 64)))
    mask.putpalette([9] * 768)
    mask.save(tmp_path / "masks" / "toy_00.png")
    found = read_back(detect(tmp_path, written_to=tmp_path), tmp_path)
    assert found.classes.colours == default_colours(3)


def test_a_folder_without_masks_needs_labels(tmp_path: Path) -> None:
    trees.save(tmp_path / "images" / "a.jpg", np.zeros((50, 60, 3), np.uint8))
    detection = detect(tmp_path, written_to=tmp_path)
    found = read_back(detection, tmp_path)
    assert found.train.masks is None
    assert found.val is None
    assert len(found.classes) == 2
    assert "no masks: labels must come from a CSV" in detection.findings


def test_a_labels_file_is_taken_for_train_alone(tmp_path: Path) -> None:
    folders(tmp_path, images=1, val=1)
    (tmp_path / "labels.csv").write_text("image,row,col,label\n")
    found = read_back(detect(tmp_path, written_to=tmp_path), tmp_path)
    assert found.train.labels == tmp_path / "labels.csv"
    assert found.val is not None
    assert found.val.labels is None


def test_written_elsewhere_it_still_finds_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders(tmp_path / "data", images=2, val=0)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    detection = detect(Path("data"), written_to=Path("work"))
    assert len(read_back(detection, tmp_path / "work").train.images) == 2


@pytest.mark.parametrize("names", [("image", "mask"), ("img", "annotations")])
def test_other_customary_names_of_folders_are_known(tmp_path: Path, names: tuple[str, str]) -> None:
    folders(tmp_path, images=2, val=0)
    for old, new in zip(("images", "masks"), names, strict=True):
        (tmp_path / old).rename(tmp_path / new)
    found = read_back(detect(tmp_path, written_to=tmp_path), tmp_path)
    assert found.train.images.where == str(tmp_path / names[0])
    assert found.train.masks == tmp_path / names[1]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((360, 480), (360, 480)),
        ((640, 640), (640, 640)),
        ((20, 50), (32, 50)),
        ((1080, 1920), (352, 640)),
        ((1920, 1080), (640, 352)),
        ((100, 4000), (32, 640)),
    ],
)
def test_the_size_suggested_is_that_of_the_images_up_to_640(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    trees.save(tmp_path / "images" / "a.png", np.zeros((*size, 3), np.uint8))
    assert read_back(detect(tmp_path, written_to=tmp_path), tmp_path).size == expected


def test_mixed_sizes_and_unreadable_files_are_counted(tmp_path: Path) -> None:
    for index, size in enumerate([(40, 50), (40, 50), (60, 50)]):
        trees.save(tmp_path / "images" / f"{index}.png", np.zeros((*size, 3), np.uint8))
    (tmp_path / "images" / "x.png").write_bytes(b"")
    detection = detect(tmp_path, written_to=tmp_path)
    assert "images/: 4 images, 2 sizes, most 40x50, 1 unreadable" in detection.findings
    assert read_back(detection, tmp_path).size == (40, 50)


def _nothing(root: Path) -> None:
    root.mkdir(exist_ok=True)


def _no_folder(root: Path) -> None:
    root.rmdir()


def _empty_images(root: Path) -> None:
    (root / "images").mkdir()


def _broken_images(root: Path) -> None:
    (root / "images").mkdir()
    (root / "images" / "a.png").write_bytes(b"x")


def _colour_masks(root: Path) -> None:
    folders(root, images=1, val=0)
    trees.save(root / "masks" / "toy_00.png", np.zeros((40, 64, 3), np.uint8))


def _empty_camvid(root: Path) -> None:
    (root / "train").mkdir()
    (root / "trainannot").mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nothing, "has no folder of images"),
        (_no_folder, "is not a folder"),
        (_empty_images, "holds no images"),
        (_broken_images, "can be read"),
        (_colour_masks, "the masks hold 1 colours"),
        (_empty_camvid, "holds no images"),
    ],
)
def test_a_folder_that_holds_no_dataset_is_refused_with_a_remedy(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    make(root)
    with pytest.raises(Failure, match=message) as caught:
        detect(root, written_to=root)
    assert caught.value.exit_code == 5
    assert str(root) in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"x", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_broken_mask_does_not_end_the_detection(tmp_path: Path, content: bytes) -> None:
    folders(tmp_path, images=2, val=0)
    (tmp_path / "masks" / "toy_00.png").write_bytes(content)
    detection = detect(tmp_path, written_to=tmp_path)
    assert len(read_back(detection, tmp_path).train.images) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"only one\n",
        b"",
        b"a\na\na\n",
        b"a\nb\n",
        b"a\\\nb\nc\n",
        b"\xff\xfe",
        b'a "b"\nb\nc\n',
        "Straße\nForêt\n空\n".encode(),
    ],
)
def test_a_classes_txt_is_understood_or_refused_by_name(tmp_path: Path, content: bytes) -> None:
    folders(tmp_path, images=1, val=0)
    (tmp_path / "classes.txt").write_bytes(content)
    try:
        detection = detect(tmp_path, written_to=tmp_path)
    except BadDataset as error:
        assert "classes.txt" in str(error)  # noqa: PT017  # either way is right
        return
    assert len(read_back(detection, tmp_path).classes) == 3


def test_a_backslash_in_a_class_name_survives(tmp_path: Path) -> None:
    folders(tmp_path, images=1, val=0)
    (tmp_path / "classes.txt").write_text("road\\bend\nb\nc\n")
    found = read_back(detect(tmp_path, written_to=tmp_path), tmp_path)
    assert found.classes.names[0] == "road\\bend"


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "[x]",
        "{root}",
        "é",
        '"quoted"',
        "back\\slash",
    ],
)
def test_any_folder_name_can_be_written_down(tmp_path: Path, name: str) -> None:
    folders(tmp_path / name, images=1, val=0)
    (tmp_path / "work").mkdir()
    detection = detect(tmp_path / name, written_to=tmp_path / "work")
    assert len(read_back(detection, tmp_path / "work").train.images) == 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.resize(np.array([0, 2], np.uint16), (40, 64)),
        np.resize([False, True], (40, 64)),
    ],
    ids=["16 bit", "1 bit"],
)
def test_init_knows_every_mask_of_indices_that_fit_knows(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    folders(tmp_path, images=1, val=0)
    trees.save(tmp_path / "masks" / "toy_00.png", pixels)
    assert read_back(detect(tmp_path, written_to=tmp_path), tmp_path).train.masks is not None


def test_init_says_how_many_images_have_a_mask(tmp_path: Path) -> None:
    folders(tmp_path, images=7, val=0)
    for index in range(4):
        (tmp_path / "masks" / f"toy_{index:02d}.png").unlink()
    findings = detect(tmp_path, written_to=tmp_path).findings
    assert "3 of 7 images have a mask; their pixels:" in findings


def test_the_comments_explain_every_key(tmp_path: Path) -> None:
    folders(tmp_path, images=1, val=1)
    lines = detect(tmp_path, written_to=tmp_path).toml.splitlines()
    assert sum(line.startswith("# ") for line in lines) >= 7
