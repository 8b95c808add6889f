"""What is kept between two times of learning changes how long the next takes, and nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trees

from scorer.labels import Click, Labels
from trainer import dataset
from trainer.dataset import Dataset
from trainer.hypercolumns import album as album_module
from trainer.hypercolumns.maps import Maps, see
from trainer.hypercolumns.view import VIEWS
from trainer.live.learner import Learner
from trainer.recipe import HeadRecipe
from trainer.threads import threads

SIZE = (64, 96)
RECIPE = HeadRecipe(steps=20)
NAMES = [f"toy_{number:02d}.png" for number in range(4)]
LABELS = Labels({name: (Click(3, 5, 0), Click(40, 60, 1), Click(9, 9, None)) for name in NAMES})
MORE = Labels({**LABELS.clicks, NAMES[1]: (*LABELS.of(NAMES[1]), Click(20, 20, 2))})


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Whoever asks first: in two threads the backbone rounds otherwise than in one."""
    with threads(2):
        yield


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    root = trees.folders(tmp_path / "data", images=len(NAMES), val=0, size=SIZE)
    return dataset.read(root / "dataset.toml")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with every pass of the backbone."""
    passes: list[object] = []

    def counted(*given: object) -> Maps:
        passes.append(given)
        return see(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(album_module, "see", counted)
    return passes


def learned(toy: Dataset, out: Path, labels: Labels) -> bytes:
    """The model of a learner that knows nothing yet."""
    with Learner(toy, out / "fresh.safetensors", RECIPE) as learner:
        learner.learn(labels)
    return (out / "fresh.safetensors").read_bytes()


def test_what_was_prepared_is_not_seen_again_and_teaches_the_same(
    toy: Dataset, tmp_path: Path, seen: list[object]
) -> None:
    with Learner(toy, tmp_path / "warm.safetensors", RECIPE) as learner:
        for number in range(1, len(NAMES) + 1):
            assert learner.prepare(LABELS)
            assert len(seen) == number * len(VIEWS), "one photograph at a time"
        assert not learner.prepare(LABELS)
        assert learner.prepare(MORE), "a further click is new"
        learner.learn(MORE)
    assert len(seen) == len(NAMES) * len(VIEWS)
    assert (tmp_path / "warm.safetensors").read_bytes() == learned(toy, tmp_path, MORE)


def test_what_was_seen_to_measure_teaches_the_same(toy: Dataset, tmp_path: Path) -> None:
    with Learner(toy, tmp_path / "warm.safetensors", RECIPE) as learner:
        learner.predict(Labels({name: (Click(1, 1, 0),) for name in NAMES}))
        learner.learn(LABELS)
    assert (tmp_path / "warm.safetensors").read_bytes() == learned(toy, tmp_path, LABELS)


def test_a_photograph_in_the_place_of_another_is_seen_anew(toy: Dataset, tmp_path: Path) -> None:
    image = toy.train.images.image(NAMES[0])
    other = toy.train.images.image(NAMES[3])
    assert isinstance(image, Path)
    assert isinstance(other, Path)
    with Learner(toy, tmp_path / "warm.safetensors", RECIPE) as learner:
        while learner.prepare(LABELS):
            pass
        learner.learn(LABELS)
        before = (tmp_path / "warm.safetensors").read_bytes()
        shutil.copyfile(other, image)
        learner.learn(LABELS)
    after = (tmp_path / "warm.safetensors").read_bytes()
    assert after != before
    assert after == learned(toy, tmp_path, LABELS)


def test_what_cannot_be_prepared_is_left_to_who_learns(toy: Dataset, tmp_path: Path) -> None:
    image = toy.train.images.image(NAMES[0])
    assert isinstance(image, Path)
    image.unlink()
    with Learner(toy, tmp_path / "m.safetensors", RECIPE) as learner:
        strange = {"gone.png": (Click(0, 0, 0),), NAMES[1]: (Click(999, 0, 0),)}
        labels = Labels({**LABELS.clicks, **strange})
        while learner.prepare(labels):
            pass
        _, card = learner.learn(LABELS)
    assert card.training["images"] == len(NAMES) - 1
    assert np.all(np.isfinite([float(one.sum()) for one in learner.network.state_dict().values()]))
