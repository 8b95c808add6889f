"""The SegNet form of CamVid: its lists, its classes, and how it is told from other folders."""

from pathlib import Path

import pytest
import trees

from trainer.layouts import camvid


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


def test_without_a_list_all_images_count(tmp_path: Path) -> None:
    trees.camvid(tmp_path)
    listed = camvid.split(tmp_path, "train")
    (tmp_path / "train.txt").unlink()
    whole = camvid.split(tmp_path, "train")
    assert listed is not None
    assert whole is not None
    assert (len(listed.images), len(whole.images)) == (2, 3)
