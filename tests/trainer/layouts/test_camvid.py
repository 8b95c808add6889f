"""The SegNet form of CamVid: its lists, its classes, and how it is told from other folders."""

from pathlib import Path

import pytest
import trees

from scorer.errors import BadDataset
from trainer.layouts import camvid

PRESENT = ("a.png", "b.png", "c.png")


def test_the_classes_are_the_published_eleven() -> None:
    assert camvid.CLASSES["names"] == trees.CAMVID_NAMES
    assert len(camvid.CLASSES["colours"]) == len(set(camvid.CLASSES["colours"])) == 11
    assert camvid.CLASSES["ignore"] == trees.CAMVID_VOID


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "trainannot"), True),
        (("train",), False),
        (("trainannot",), False),
        (("images", "masks"), False),
    ],
)
def test_camvid_is_recognised_by_images_and_masks_of_train(
    tmp_path: Path, folders: tuple[str, ...], expected: bool
) -> None:
    for name in folders:
        (tmp_path / name).mkdir()
    assert (camvid.found(tmp_path) is not None) is expected


@pytest.mark.parametrize(
    "text",
    [
        "/SegNet/CamVid/train/b.png /SegNet/CamVid/trainannot/b.png\n/x/a.png /y/a.png\n",
        "train/b.png trainannot/b.png\ntrain/a.png trainannot/a.png",
        "b.png\na.png\n",
        "C:\\data\\train\\b.png C:\\data\\trainannot\\b.png\r\nC:\\data\\train\\a.png x\r\n",
        "\n/x/b.png /y/b.png\n\n   \n/x/a.png /y/a.png\n\n",
        "b.png\na.png\nb.png\n",
    ],
    ids=["foreign prefix", "relative", "bare names", "Windows", "blank lines", "repeated"],
)
def test_only_the_file_name_of_a_listed_path_counts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(text.encode())
    assert list(camvid.listed(path, PRESENT)) == ["a.png", "b.png"]


def test_without_a_list_all_images_count(tmp_path: Path) -> None:
    assert list(camvid.listed(tmp_path / "train.txt", PRESENT)) == list(PRESENT)


def test_a_listed_image_that_is_missing_is_named_with_its_list(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("/x/a.png /y/a.png\n/x/z.png /y/z.png\n/x/q.png /y/q.png\n")
    with pytest.raises(BadDataset, match=r"train\.txt names 2 images .* such as q\.png"):
        camvid.listed(path, PRESENT)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"\n"],
    ids=["not text", "empty"],
)
def test_a_list_that_names_nothing_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "val.txt"
    path.write_bytes(content)
    with pytest.raises(BadDataset, match=r"val\.txt"):
        camvid.listed(path, PRESENT)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbfa.png a.png\n")
    assert list(camvid.listed(path, PRESENT)) == ["a.png"]
