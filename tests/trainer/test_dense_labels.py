"""Masks of some photographs beside clicks: what is drawn of them, and that a click counts more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees
from listeners import Heard

import trainer
from scorer import labels as label_files
from scorer.errors import BadDataset
from scorer.labels import Click, Labels
from trainer import dataset, dense_labels, job, lesson
from trainer.cli import main
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions

SIZE = (40, 56)


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    return dataset.read(trees.folders(tmp_path, images=4, val=0, size=SIZE) / "dataset.toml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mask of one photograph, class 2 and unknown."""
    mask = np.full(SIZE, 255, np.uint8)
    mask[:30] = 2
    return trees.save(tmp_path / "corrected" / "toy_01.png", mask).parent


def learned(toy: Dataset, tmp_path: Path, **options: object) -> tuple[Labels, Heard]:
    heard = Heard()
    return lesson.labels(toy, tmp_path / "m.safetensors", FitOptions(**options), heard), heard  # type: ignore[arg-type]


def test_clicks_and_masks_are_mixed(toy: Dataset, folder: Path, tmp_path: Path) -> None:
    clicked = Labels({"toy_00.png": [Click(1, 2, 0)], "toy_01.png": [Click(35, 3, 1)]})
    label_files.write(tmp_path / "clicks.csv", clicked, toy.classes.names)
    found, heard = learned(toy, tmp_path, labels=tmp_path / "clicks.csv", dense_labels=folder)
    assert found.of("toy_00.png") == [Click(1, 2, 0)]
    assert found.of("toy_01.png")[0] == Click(35, 3, 1)
    drawn = found.of("toy_01.png")[1:]
    assert len({(one.row, one.col) for one in drawn}) == len(drawn) == 30 * 56
    assert all(one.label == 2 and one.row < 30 for one in drawn)
    assert any(f"{30 * 56} pixels of 1 masks in {folder}" in one for one in heard.messages)


def test_a_click_counts_more_than_the_mask_at_its_pixel(toy: Dataset, folder: Path) -> None:
    dense, _ = dense_labels.draw(folder, toy, seed=0)
    one, other = dense.of("toy_01.png")[:2]
    unsure = replace(other, label=None)
    mixed = dense_labels.mixed(Labels({"toy_01.png": [replace(one, label=0), unsure]}), dense)
    at = [found for found in mixed.of("toy_01.png") if (found.row, found.col) == (one.row, one.col)]
    assert at == [replace(one, label=0)]
    assert other in mixed.of("toy_01.png"), "whoever is unsure says nothing against the mask"


def test_a_mask_gives_a_few_of_its_pixels_at_random(toy: Dataset, folder: Path) -> None:
    found = {dense_labels.per_mask(masks) for masks in (0, 1, 400)}
    assert found == {2048}
    assert dense_labels.per_mask(1000) == 1000
    assert dense_labels.per_mask(10**7) == 1
    trees.save(folder / "toy_01.png", np.zeros(SIZE, np.uint8))
    first, again, other = (dense_labels.draw(folder, toy, seed=seed)[0] for seed in (0, 0, 1))
    assert len(first) == 2048 < 40 * 56
    assert first == again != other


def test_masks_alone_are_learned_from_and_the_truth_is_not(
    toy: Dataset, folder: Path, tmp_path: Path
) -> None:
    found, _ = learned(toy, tmp_path, dense_labels=folder)
    assert set(found.clicks) == {"toy_01.png"}
    assert not lesson.labels_path(tmp_path / "m.safetensors").exists()


def test_the_ignored_value_of_the_truth_is_a_class_in_these_masks(
    toy: Dataset, folder: Path
) -> None:
    other = replace(toy, classes=replace(toy.classes, ignore=2))
    assert len(dense_labels.draw(folder, other, seed=0)[0]) == 30 * 56


def test_dataset_toml_may_name_the_folder(toy: Dataset, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "dataset.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("[train]", '[train]\ndense_labels = "corrected"'), "utf-8")
    found, _ = learned(dataset.read(path), tmp_path)
    assert set(found.clicks) == {"toy_01.png"}
    path.write_text(text.replace("[train]", '[train]\ndense_labels = "nowhere"'), "utf-8")
    with pytest.raises(BadDataset, match=r"\[train\] dense_labels: .*nowhere is not a folder"):
        dataset.read(path)


def test_a_published_dataset_takes_them_too(tmp_path: Path) -> None:
    trees.camvid(tmp_path / "camvid", size=(48, 64))
    (tmp_path / "corrected").mkdir()
    text = 'version = 1\nlayout = "camvid"\nroot = "camvid"\nsize = "48x64"\n'
    (tmp_path / "d.toml").write_text(text + '[train]\ndense_labels = "../corrected"\n')
    assert dataset.read(tmp_path / "d.toml").train.dense_labels is not None
    (tmp_path / "d.toml").write_text(text + '[val]\ndense_labels = "../corrected"\n')
    with pytest.raises(BadDataset, match="unknown key 'dense_labels'"):
        dataset.read(tmp_path / "d.toml")


def test_masks_that_cannot_be_right_are_refused_or_named(
    toy: Dataset, folder: Path, tmp_path: Path
) -> None:
    trees.save(folder / "toy_02.png", np.zeros((40, 57), np.uint8))
    found, heard = learned(toy, tmp_path, dense_labels=folder)
    assert set(found.clicks) == {"toy_01.png"}
    assert any("toy_02.png: mask of another size: 40x57" in one for one in heard.warnings)
    trees.save(folder / "cat.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(BadDataset, match=r"1 of its masks belong to no image .* such as cat\.png"):
        learned(toy, tmp_path, dense_labels=folder)
    (folder / "cat.png").unlink()
    trees.save(folder / "toy_03.png", np.full(SIZE, 3, np.uint8))
    with pytest.raises(BadDataset, match=r"toy_03\.png holds the value 3"):
        learned(toy, tmp_path, dense_labels=folder)
    with pytest.raises(BadDataset, match="holds no masks"):
        learned(toy, tmp_path, dense_labels=tmp_path / "nowhere")


@pytest.mark.parametrize("door", ["command", "python"])
def test_both_doors_hand_the_folder_on(
    door: str, toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[FitOptions] = []
    (tmp_path / "corrected").mkdir()
    monkeypatch.setattr(job, "train", lambda _data, _out, options, _listener: given.append(options))
    data = tmp_path / "dataset.toml"
    if door == "python":
        trainer.fit(data, out=tmp_path / "m.safetensors", dense_labels=tmp_path / "corrected")
    else:
        with pytest.raises(SystemExit) as ended:
            main(["fit", "--data", str(data), "--dense-labels", str(tmp_path / "corrected")])
        assert not ended.value.code
    assert [one.dense_labels for one in given] == [tmp_path / "corrected"]
