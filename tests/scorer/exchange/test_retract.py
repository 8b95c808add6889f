"""Answers that should not stand are taken back, and nothing is deleted."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from scorer.cli import main
from scorer.errors import BadInput
from scorer.labels.answer import Answer
from scorer.labels.retraction import Retraction
from scorer.labels.store import Store, reading

CLASSES = ("road", "sky")
FIRST = Answer(
    image="a.png", row=3, col=4, height=36, width=48, grid_height=36, grid_width=48,
    answer="label", class_name="sky", round=1, annotator="ann", seconds=1.0,
    time="2026-01-02T10:00:00+00:00", request="0",
)  # fmt: skip
GIVEN = [
    FIRST,
    replace(FIRST, class_name="road", annotator="bob", time="2026-01-02T11:00:00+00:00"),
    replace(FIRST, image="old/b.png", round=2, time="2026-01-03T00:00:00+00:00"),
    replace(FIRST, image="c.png", annotator="bob", round=2, time="2026-01-03T12:00:00Z"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "labels.db", CLASSES)
    store.extend([replace(one, request=str(number)) for number, one in enumerate(GIVEN)])
    store.close()
    for name in ("a.png", "c.png"):
        Path("images").mkdir(exist_ok=True)
        Image.new("RGB", (48, 36)).save(f"images/{name}")
    return tmp_path


def labels(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["labels", *arguments], catch_exceptions=False)


def standing() -> list[tuple[str, str | None]]:
    with reading(Path("labels.db"), CLASSES) as store:
        return [(one.image, one.class_name) for one in store.standing()]


A_OF_ANN, A_OF_BOB, B, C = (
    ("a.png", "sky"),
    ("a.png", "road"),
    ("old/b.png", "sky"),
    ("c.png", "sky"),
)


@pytest.mark.parametrize(
    ("options", "count", "left"),
    [
        (("--image", "a.png"), 2, [B, C]),
        (("--image", "a.png", "--image", "c.png"), 3, [B]),
        (("--annotator", "bob"), 2, [A_OF_ANN, B]),
        (("--annotator", "bob", "--round", "1"), 1, [A_OF_ANN, B, C]),
        (("--round", "2"), 2, [A_OF_BOB]),
        (("--since", "2026-01-03"), 2, [A_OF_BOB]),
        (("--until", "2026-01-02T11:00"), 1, [A_OF_BOB, B, C]),
        (("--since", "2026-01-02T11:30:00+01:00", "--until", "2026-01-03"), 1, [A_OF_ANN, B, C]),
        (("--not-in-pool", "images"), 1, [A_OF_BOB, C]),
    ],
)
def test_answers_are_taken_back(
    options: tuple[str, ...], count: int, left: list[object], home: Path
) -> None:
    would = labels("retract", *options, "--dry-run")
    assert f"{count} answers about" in would.stderr
    assert "would be taken back" in would.stderr
    assert standing() == [A_OF_BOB, B, C], "only said"
    done = labels("retract", *options)
    assert (done.exit_code, f"{count} answers about" in done.stderr) == (0, True), done.stderr
    assert sorted(standing(), key=str) == sorted(left, key=str)
    rows = sqlite3.connect("labels.db").execute("SELECT answer FROM answers").fetchall()
    assert rows == [("label",)] * 4 + [("undo",)] * count, "nothing is deleted"
    again = labels("retract", *options)
    assert (again.exit_code, "no answer in labels.db is like that" in again.stderr) == (5, True)


def test_all_answers_need_a_word(home: Path) -> None:
    result = labels("retract")
    assert (result.exit_code, "nothing says which answers" in result.stderr) == (5, True)
    result = labels("retract", "--since", "yesterday")
    assert (result.exit_code, "'yesterday' is not a time" in result.stderr) == (2, True)
    assert "write it as 2026-11-30" in result.stderr
    with pytest.raises(BadInput):
        Retraction()


def test_what_is_imported_again_after_it_was_taken_back_counts_again(home: Path) -> None:
    Path("l.csv").write_text("image,row,col,label\nc.png,9,9,road\n")
    place = ("import", "l.csv", "--format", "csv", "--annotator", "eve")
    for _ in range(3):
        assert "1 new answers" in labels(*place).stderr
        assert ("c.png", "road") in standing()
        assert "0 new answers" in labels(*place).stderr
        assert labels("retract", "--annotator", "eve").exit_code == 0
        assert ("c.png", "road") not in standing()


def test_undo_goes_on_after_a_retraction(home: Path) -> None:
    assert labels("retract", "--image", "c.png").exit_code == 0
    store = Store(home / "labels.db", CLASSES)
    try:
        undone = store.undo("bob", time=FIRST.time, request="u")
        assert undone is not None
        assert (undone.image, undone.class_name) == A_OF_BOB
        assert store.undo("bob", time=FIRST.time, request="v") is None
        assert store.count() == 2
    finally:
        store.close()


def test_an_image_that_fit_refuses_is_taken_back(home: Path) -> None:
    """What `trainer fit` says to do is what mends it."""
    from trainer import clicks, dataset

    Path("dataset.toml").write_text(
        'version = 1\nsize = "36x48"\n[train]\nimages = "images"\nlabels = "labels.db"\n'
        '[classes]\nnames = ["road", "sky"]\n'
    )
    described = dataset.read(Path("dataset.toml"))
    with pytest.raises(BadInput, match="1 of its images are not in") as refused:
        clicks.read(Path("labels.db"), described)
    assert "scorer labels retract --labels labels.db --not-in-pool" in refused.value.remedy
    assert labels("retract", "--labels", "labels.db", "--not-in-pool", "images").exit_code == 0
    assert clicks.read(Path("labels.db"), described).labelled == 2
