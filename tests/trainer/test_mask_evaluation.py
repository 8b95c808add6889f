"""Masks measured against masks."""

from pathlib import Path

import numpy as np
import pytest
import trees

import trainer
from scorer.errors import BadDataset
from trainer import api

SIDE = 32
EACH = 2 * (SIDE - 1) * SIDE // 2  # pixels of a class whose truth is known, in both images


@pytest.fixture
def data(tmp_path: Path) -> Path:
    trees.folders(tmp_path, images=2, val=0, size=(SIDE, SIDE))
    truth = np.zeros((SIDE, SIDE), np.uint8)
    truth[:, SIDE // 2 :] = 1
    truth[0] = 255
    for name in ("toy_00.png", "toy_01.png"):
        trees.save(tmp_path / "masks" / name, truth)
    return tmp_path / "dataset.toml"


def found(data: Path, **values: int) -> trainer.Evaluation:
    """Of masks that are the truth, but for some pixels of the second row of the first."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, SIDE // 2 :] = 1
    trees.save(data.parent / "found" / "toy_01.png", mask)
    for col, value in values.items():
        mask[1, int(col[1:])] = value
    trees.save(data.parent / "found" / "toy_00.png", mask)
    return trainer.evaluate_masks(data.parent / "found", data, split="train")


def test_equal_masks_are_right_everywhere(data: Path) -> None:
    got = found(data)
    assert (got.iou[:2], got.accuracy, got.images) == ((1.0, 1.0), 1.0, 2)
    assert np.isnan(got.iou[2])


def test_a_wrong_pixel_counts_for_both_classes_and_one_without_a_class_for_one(data: Path) -> None:
    wrong = found(data, c0=1)
    assert wrong.iou[:2] == ((EACH - 1) / EACH, EACH / (EACH + 1))
    assert wrong.accuracy == (2 * EACH - 1) / (2 * EACH)
    unknown = found(data, c0=255)
    assert unknown.iou[:2] == ((EACH - 1) / EACH, 1.0)
    assert unknown.accuracy == (2 * EACH - 1) / (2 * EACH)


def test_what_cannot_be_compared_is_named(data: Path) -> None:
    found(data)
    trees.save(data.parent / "found" / "toy_00.png", np.zeros((5, 6), np.uint8))
    got = trainer.evaluate_masks(data.parent / "found", data, split="train")
    assert [name for name, _ in got.skipped] == ["toy_00.png"]
    with pytest.raises(BadDataset, match="holds the value 77"):
        found(data, c2=77)
    with pytest.raises(BadDataset, match="no mask in"):
        trainer.evaluate_masks(data.parent / "nothing", data, split="train")


def test_masks_of_other_images_are_doubted(data: Path) -> None:
    found(data)
    assert api.doubt_of_masks(data.parent / "found", data, "train") is None
    trees.save(data.parent / "found" / "other.png", np.zeros((SIDE, SIDE), np.uint8))
    doubt = api.doubt_of_masks(data.parent / "found", data, "train")
    assert doubt is not None
    assert doubt.startswith("1 masks in")
