"""What a store holds in numbers."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from scorer.cli import main
from scorer.labels.answer import Answer
from scorer.labels.store import Store
from scorer.labels.summary import Annotator, summarise

CLASSES = ("sky", "road")


def answer(row: int, name: str | None, annotator: str = "ann", **changes: object) -> Answer:
    values: dict[str, object] = {
        "image": "a.jpg", "row": row, "col": 2, "height": 100, "width": 120, "grid_height": 64,
        "grid_width": 96, "answer": "label" if name else "unsure", "class_name": name, "round": 1,
        "annotator": annotator, "seconds": float(row), "time": "2026-01-01T00:00:00+00:00",
        "request": f"{row} {name} {annotator}",
    }  # fmt: skip
    return Answer(**values | changes)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "labels.db"
    with closing(Store(path, CLASSES)) as store:
        store.add(answer(1, "sky"))
        number, _ = store.add(answer(2, "sky", source="free"))
        store.add(answer(3, None, image="b.jpg"))
        store.add(replace(answer(2, "road", "bob"), reviews=number, source="free"))
        store.add(answer(1, "sky", "bob"))
        store.add(answer(9, "road", "bob"))
        store.undo("bob", time="t", request="undo")
    return path


def test_it_counts_what_was_not_taken_back(path: Path) -> None:
    with closing(Store(path, CLASSES)) as store:
        found = summarise(store.given())
    assert (found.answers, found.images) == (5, 2)
    assert found.annotators["ann"] == Annotator(answers=3, labels=2, unsure=1, skip=0, seconds=2.0)
    assert found.annotators["bob"].answers == 2
    assert found.by_class == {"sky": 1, "road": 1}
    assert found.by_source == {"asked": 2, "free": 1}
    assert (found.looked_again, found.mended) == (1, 1)
    assert (found.seen_by_several, found.agreed) == (2, 1)


def test_the_command_says_it_to_people_and_to_programs(path: Path) -> None:
    run = CliRunner().invoke
    told = run(main, ["labels", "summary", "--labels", str(path)])
    assert "seen by several annotators: 2 pixels, the same class for 1 (50%)" in told.stdout
    assert "bob: 2 answers (2 classes, 0 unsure, 0 skipped), 1.5 s each (median)" in told.stdout
    written = run(main, ["labels", "summary", "--labels", str(path), "--json"])
    assert json.loads(written.stdout)["mended"] == 1


def test_an_empty_store_has_a_summary(tmp_path: Path) -> None:
    Store(tmp_path / "labels.db", CLASSES).close()
    told = CliRunner().invoke(main, ["labels", "summary", "--labels", str(tmp_path / "labels.db")])
    assert told.exit_code == 0
    assert told.stdout.startswith("0 answers about 0 images")
