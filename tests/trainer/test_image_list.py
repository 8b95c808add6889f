"""Lists of images that travel with datasets, whatever machine they were written on."""

from pathlib import Path

import pytest

from scorer.errors import BadDataset
from trainer.image_list import listed

PRESENT = ("a.png", "b.png", "c.png")


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
    assert list(listed(path, PRESENT)) == ["a.png", "b.png"]


def test_of_images_of_one_name_the_folders_decide(tmp_path: Path) -> None:
    path, present = tmp_path / "train.txt", ["north/a.png", "south/a.png", "south/b.png"]
    path.write_text("/elsewhere/south/a.png\nb.png\n")
    assert listed(path, present) == ["south/a.png", "south/b.png"]
    path.write_text("a.png\n")
    with pytest.raises(BadDataset, match=r"may be any of north/a\.png, south/a\.png"):
        listed(path, present)


def test_a_listed_image_that_is_missing_is_named_with_its_list(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("/x/a.png /y/a.png\n/x/z.png /y/z.png\n/x/q.png /y/q.png\n")
    with pytest.raises(BadDataset, match=r"train\.txt names 2 missing images, such as q\.png"):
        listed(path, PRESENT)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"\n"],
    ids=["not text", "empty"],
)
def test_a_list_that_names_nothing_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "val.txt"
    path.write_bytes(content)
    with pytest.raises(BadDataset, match=r"val\.txt"):
        listed(path, PRESENT)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(b"\xef\xbb\xbfa.png a.png\n")
    assert list(listed(path, PRESENT)) == ["a.png"]


@pytest.mark.parametrize("text", ["b\na\n", "x/b.jpg\nb\n./c/a\n", "a 1\nb -1\n"])
def test_a_name_without_its_suffix_is_known_too(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.txt"
    path.write_text(text)
    present = ("a.jpg", "x/b.jpg", "c.jpg")
    assert list(listed(path, present)) == ["a.jpg", "x/b.jpg"]


def test_of_two_images_of_one_file_name_the_whole_path_counts(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("y/a.jpg\n")
    assert list(listed(path, ("x/a.jpg", "y/a.jpg"))) == ["y/a.jpg"]
