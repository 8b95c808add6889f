"""No labels of a project are forgotten without a word."""

from dataclasses import replace
from pathlib import Path

import pytest
import trees
from click.testing import CliRunner
from listeners import Heard

from scorer.cli import main as scorer
from scorer.errors import BadLabels
from scorer.labels import Labels
from scorer.labels.store import Store
from trainer import clicks, dataset, lesson
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions
from trainer.hypercolumns import pixels
from trainer.hypercolumns.album import Album

FIT = FitOptions(pixels=2, store=Path("labels.db"))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A project in the folder where commands are typed."""
    trees.folders(tmp_path, images=2, val=0, size=(40, 56))
    monkeypatch.chdir(tmp_path)
    return dataset.read(Path("dataset.toml"))


def csv(name: str, *rows: str) -> Path:
    Path(name).write_text("\n".join(("image,row,col,label", *rows)) + "\n")
    return Path(name)


def stored(*rows: str) -> Path:
    Store(Path("labels.db"), trees.NAMES).close()
    path = csv("clicks.csv", *rows)
    words = ["labels", "import", str(path), "--format", "csv", "--annotator", "ann"]
    result = CliRunner().invoke(scorer, words)
    assert result.exit_code == 0, result.output
    path.unlink()
    return Path("labels.db")


def learned(toy: Dataset, options: FitOptions) -> tuple[Labels, Heard]:
    heard = Heard()
    return lesson.labels(toy, Path("model.safetensors"), options, heard), heard


def test_the_store_of_the_project_is_read_by_default(toy: Dataset) -> None:
    stored("toy_00.png,1,2,fire", "toy_01.png,3,4,ice")
    found, heard = learned(toy, FIT)
    assert found.labelled == 2
    assert "2 labels of 2 images from labels.db" in heard.messages
    assert heard.warnings == []
    drawn, heard = learned(toy, replace(FIT, store=None))
    assert drawn.labelled == 4
    assert len(heard.warnings) == 1
    assert (
        "labels.db has 2 labelled pixels that model.labels.csv does not have" in heard.warnings[0]
    )
    assert "scorer labels import model.labels.csv --format csv" in heard.warnings[0]


def test_a_store_without_labels_leaves_the_masks(toy: Dataset) -> None:
    Store(Path("labels.db"), trees.NAMES).close()
    found, heard = learned(toy, FIT)
    assert found.labelled == 4
    assert "labels.db has no labelled pixel yet" in heard.messages
    assert heard.warnings == []


def test_a_store_of_other_classes_says_how_to_leave_it_out(toy: Dataset) -> None:
    Store(Path("labels.db"), ("other", "classes")).close()
    with pytest.raises(BadLabels, match=r"labels\.db holds labels of the classes") as caught:
        learned(toy, FIT)
    assert "--pixels N draws labels from the masks instead" in caught.value.remedy


def test_labels_of_dataset_toml_are_not_forgotten(toy: Dataset) -> None:
    store = stored("toy_00.png,1,2,fire")
    named = csv("labels.csv", "toy_00.png,1,2,fire", "toy_01.png,5,6,ice", "toy_01.png,7,8,")
    toy = replace(toy, train=replace(toy.train, labels=named))
    found, heard = learned(toy, FIT)
    assert found.labelled == 2, "what dataset.toml names comes before the store"
    assert heard.warnings == [], "all of the store is in it"
    found, heard = learned(toy, replace(FIT, labels=store))
    assert found.labelled == 1
    (warning,) = heard.warnings
    assert "labels.csv has 1 labelled pixels that labels.db does not have, and they are" in warning
    command = warning.partition("to use them: scorer ")[2].replace("NAME", "ann").split()
    assert CliRunner().invoke(scorer, command).exit_code == 0, "the command that it says"
    found, heard = learned(toy, replace(FIT, labels=store))
    assert (found.labelled, heard.warnings) == (2, [])


def test_a_file_that_cannot_be_used_is_said(toy: Dataset) -> None:
    Store(Path("labels.db"), ("other", "classes")).close()
    _, heard = learned(toy, replace(FIT, labels=csv("l.csv", "toy_00.png,1,2,fire")))
    assert len(heard.warnings) == 1
    assert heard.warnings[0].startswith("labels.db is not used: labels.db holds labels of the")


def test_a_rule_for_different_answers(toy: Dataset) -> None:
    path = csv("l.csv", "toy_00.png,1,2,fire", "toy_00.png,1,2,ice")
    with pytest.raises(BadLabels, match=r"toy_00\.png row 1, col 2 is fire, ice"):
        learned(toy, replace(FIT, labels=path))
    found, _ = learned(toy, replace(FIT, labels=path, on_conflict="newest"))
    assert [one.label for one in found.of("toy_00.png")] == [2]


def test_labels_of_another_size_teach_nothing(toy: Dataset) -> None:
    path = Path("l.csv")
    path.write_text("image,row,col,label,height,width\ntoy_00.png,1,2,fire,20,28\n")
    labels = clicks.read(path, toy)
    wrong = r"the labels of toy_00\.png were given at 20x28 .*the image is 40x56"
    with pytest.raises(BadLabels, match=wrong) as caught:
        list(clicks.gather(toy.train, labels, (40, 56)))
    assert "scorer labels retract --image toy_00.png" in caught.value.remedy
    with pytest.raises(BadLabels, match=wrong):
        pixels._look(Album.__new__(Album), toy.train, labels, "toy_00.png")
    assert clicks.few(labels, 1, 0).sizes == labels.sizes, "a part of them knows it, too"
