"""Wrong answers are found by a model that was fitted without them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.labels import Click, Labels
from trainer.live.doubts import Doubts, pixels, without
from trainer.live.home import Home, begin
from trainer.live.learner import Learner
from trainer.recipe import HeadRecipe

SIZE = (64, 96)
WRONG = 3

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doubts")
    trees.folders(folder / "data", images=8, val=0, size=SIZE)
    return folder


@pytest.fixture
def learner(folder: Path) -> Iterator[Learner]:
    home = Home(folder / "session")
    found = begin(home, str(folder / "data" / "images"), trees.NAMES)
    with Learner(found, home.model, HeadRecipe(steps=120)) as opened:
        yield opened


def truth(folder: Path, each: int = 12) -> Labels:
    """Clicks of every photograph, right."""
    rng, clicks = np.random.default_rng(0), {}
    for path in sorted((folder / "data" / "masks").iterdir()):
        mask = np.asarray(Image.open(path))
        known = np.argwhere(mask < len(trees.NAMES))
        places = rng.permutation(known)[:each].tolist()
        clicks[path.name] = [Click(row, col, int(mask[row, col])) for row, col in places]
    return Labels(clicks)


def spoiled(labels: Labels) -> tuple[Labels, set[tuple[str, int, int]]]:
    """The same with one wrong answer in each of the first photographs; where these are."""
    clicks, wrong = {name: list(found) for name, found in labels.clicks.items()}, set()
    for name in sorted(clicks)[:WRONG]:
        one = clicks[name][0]
        assert one.label is not None
        clicks[name][0] = Click(one.row, one.col, (one.label + 1) % len(trees.NAMES))
        wrong.add((name, one.row, one.col))
    return Labels(clicks), wrong


def test_wrong_answers_are_doubted_and_right_ones_are_not(learner: Learner, folder: Path) -> None:
    labels, wrong = spoiled(truth(folder))
    doubts = Doubts(learner)
    for some in (without(labels, wrong), labels):
        doubts.suspect(some)
        learner.learn(some)
        doubts.learned(some)
    found = doubts.decide(labels)
    assert {one.pixel for one in found} == wrong
    assert all(one.probability >= 0.9 for one in found)
    assert [one.probability for one in found] == sorted(
        (one.probability for one in found), reverse=True
    )
    right = {
        (name, one.row, one.col): trees.NAMES[one.label or 0]
        for name, clicks in truth(folder).clicks.items()
        for one in clicks
    }
    assert all(one.predicted == right[one.pixel] != one.given for one in found)


def test_an_answer_is_judged_by_the_model_that_had_not_seen_it(
    learner: Learner, folder: Path
) -> None:
    """Even where the next model has learned it by heart."""
    labels, wrong = spoiled(truth(folder))
    rest = without(labels, wrong)
    doubts = Doubts(learner)
    doubts.suspect(labels)
    assert not doubts._suspects, "nothing has learned yet"
    learner.learn(rest)
    doubts.learned(rest)
    doubts.suspect(labels)
    assert set(doubts._suspects) == wrong


def test_right_answers_cost_no_fit(
    learner: Learner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = truth(folder)
    doubts = Doubts(learner)
    learner.learn(labels)
    doubts.learned(labels)
    monkeypatch.setattr(learner, "fit", lambda _: pytest.fail("nothing to decide"))
    assert doubts.decide(labels) == []


def test_a_fit_clears_who_was_suspected_wrongly_and_the_others_come_in_turn(
    learner: Learner, folder: Path
) -> None:
    labels, wrong = spoiled(truth(folder))
    doubts = Doubts(learner)
    learner.learn(without(labels, wrong))
    innocent = sorted(pixels(labels) - wrong)[:40]
    doubts._suspects = dict.fromkeys(innocent, 0.6) | dict.fromkeys(wrong, 0.9)
    found = doubts.decide(labels)
    assert {one.pixel for one in found} >= wrong, "the most suspicious are left out first"
    left_out = len(pixels(labels)) // 5
    waiting = len(innocent) - (left_out - len(wrong))
    assert waiting + len(wrong) <= len(doubts._suspects) < len(innocent)
    doubts.decide(labels)
    assert len(doubts._suspects) < waiting + len(wrong)


def test_what_is_left_out_is_left_out() -> None:
    labels = Labels({"a": [Click(1, 2, 0), Click(3, 4, None)], "b": [Click(1, 2, 1)]})
    assert pixels(labels) == {("a", 1, 2), ("b", 1, 2)}
    assert without(labels, {("b", 1, 2), ("a", 1, 2)}) == Labels({"a": [Click(3, 4, None)]})
