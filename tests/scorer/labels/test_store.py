"""The label store keeps every answer that it acknowledged, and nothing else."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import answers
import pytest
from answers import answer
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer import labels
from scorer.errors import BadInput, BadLabels, CannotWrite
from scorer.labels import Click, database
from scorer.labels.answer import Answer
from scorer.labels.store import Store

CLASSES = ("sky", "road", "car")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


def test_answers_come_back_as_labels(path: Path) -> None:
    store = Store(path, CLASSES)
    store.add(answer(0))
    store.add(answer(1, answer="unsure", class_name=None))
    store.add(answer(2, answer="skip", class_name=None))
    store.add(answer(3, class_name="car", image="b/ü.jpg"))
    assert dict(store.labels().clicks) == {
        "a.jpg": [Click(0, 2, 1), Click(1, 2, None)],
        "b/ü.jpg": [Click(3, 2, 2)],
    }
    assert [one.row for one in store.standing()] == [0, 1, 2, 3]
    assert labels.read(path, CLASSES) == store.labels(), "also while it is open"


def test_the_later_answer_to_a_pixel_stands(path: Path) -> None:
    store = Store(path, CLASSES)
    store.add(answer(0))
    store.add(answer(0, class_name="car", request="again"))
    assert store.labels().of("a.jpg") == [Click(0, 2, 2)]
    store.undo("ann", time="t", request="u")
    assert store.labels().of("a.jpg") == [Click(0, 2, 1)], "what was there before stands again"


def test_undo_takes_back_the_last_answer_of_that_annotator(path: Path) -> None:
    store = Store(path, CLASSES)
    store.add(answer(0))
    store.add(answer(1))
    store.add(answer(2, annotator="bob"))
    assert store.undo("ann", time="t", request="u1") == answer(1)
    assert store.undo("ann", time="t", request="u1") == answer(1), "the same request, once"
    assert [one.row for one in store.standing()] == [0, 2]
    assert store.undo("ann", time="t", request="u2") == answer(0)
    assert store.undo("ann", time="t", request="u3") is None
    assert [one.answer for one in store.history()] == ["label"] * 3 + ["undo"] * 2


def test_the_same_request_is_one_answer(path: Path) -> None:
    store = Store(path, CLASSES)
    number, is_new = store.add(answer(0))
    assert is_new
    assert store.add(answer(0)) == (number, False)
    assert len(list(store.history())) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"row": 100}, {"row": -1}, {"col": 120}, {"class_name": "tree"}, {"class_name": None},
        {"answer": "unsure"}, {"answer": "undo", "class_name": None}, {"answer": "maybe"},
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_refused(changes: dict[str, object], path: Path) -> None:
    store = Store(path, CLASSES)
    with pytest.raises(BadLabels):
        store.add(answer(0, **changes))
    assert list(store.history()) == []


@pytest.mark.parametrize("statement", ["UPDATE answers SET class = 'car'", "DELETE FROM answers"])
def test_nothing_is_overwritten_even_by_hand(statement: str, path: Path) -> None:
    Store(path, CLASSES).add(answer(0))
    with pytest.raises(sqlite3.IntegrityError, match="answers are never"):
        sqlite3.connect(path).execute(statement)


def test_other_files_and_other_classes_are_refused(path: Path, tmp_path: Path) -> None:
    Store(path, CLASSES).add(answer(0))
    with pytest.raises(BadLabels, match="classes sky, road, car, not of sky, road"):
        labels.read(path, CLASSES[:2])
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(BadLabels, match="not a label store"):
        Store(tmp_path / "text.db", CLASSES)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE things (x)")
    with pytest.raises(BadLabels, match="not of labels"):
        Store(tmp_path / "other.db", CLASSES)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(BadLabels, match="version 99"):
        Store(path, CLASSES)
    with pytest.raises(BadLabels, match="does not exist"):
        labels.read(tmp_path / "none.db", CLASSES)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(CannotWrite, match="folder"):
        Store(tmp_path / "folder.db", CLASSES)


def test_many_are_kept_together_or_not_at_all(path: Path) -> None:
    store = Store(path, CLASSES)
    store.add(answer(1))
    assert store.extend([answer(0), answer(1), answer(2)]) == [answer(0), answer(2)]
    with pytest.raises(BadLabels):
        store.extend([answer(3), answer(4, class_name="tree")])
    assert sorted(one.row for one in store.standing()) == [0, 1, 2]


def test_threads_and_programs_write_at_once(path: Path) -> None:
    stores = [Store(path, CLASSES), Store(path, CLASSES)]

    def work(number: int) -> None:
        for step in range(20):
            row = 20 * number + step
            stores[number % 2].add(answer(row, request=str(row)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.row for one in stores[0].standing()) == list(range(80))


_WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from answers import answer
from scorer.labels.store import Store
store = Store(Path(sys.argv[1]), sys.argv[3:])
for number in range(10**6):
    store.add(answer(number % 100, request=str(number)))
    print(number, flush=True)
"""


def test_kill_9_loses_no_acknowledged_answer(path: Path) -> None:
    for _ in range(3):
        path.unlink(missing_ok=True)
        with subprocess.Popen(
            [
                sys.executable,
                "-c",
                _WRITER,
                str(path),
                str(Path(answers.__file__).parent),
                *CLASSES,
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout
            heard = [int(next(writer.stdout)) for _ in range(5)]
            os.kill(writer.pid, signal.SIGKILL)
            heard += [int(line) for line in writer.stdout if line.endswith("\n")]
        kept = [int(one.request) for one in Store(path, CLASSES).history()]
        assert kept[: len(heard)] == heard
        assert len(kept) <= len(heard) + 1, "one may have been written and not told"
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 3), st.sampled_from([*CLASSES, "unsure", "skip"]), st.just("ann")),
        st.tuples(st.integers(0, 3), st.sampled_from([*CLASSES, "unsure", "skip"]), st.just("bob")),
        st.sampled_from(["ann", "bob"]),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_what_stands_is_what_a_list_would_say(steps: list) -> None:  # type: ignore[type-arg]
    """A model of the store: a list of answers, from which undo removes."""
    store, kept = Store(Path(":memory:"), CLASSES), []
    for number, step in enumerate(steps):
        if isinstance(step, str):
            last: dict[int, Answer] = {one.row: one for one in kept}
            mine = [one for one in kept if one.annotator == step and last[one.row] is one]
            found = store.undo(step, time="t", request=str(number))
            assert found == (mine[-1] if mine else None)
            if mine:
                kept.remove(mine[-1])
            continue
        row, said, annotator = step
        one = replace(answer(row, request=str(number)), annotator=annotator, class_name=said)
        if said not in CLASSES:
            one = replace(one, answer=said, class_name=None)
        store.add(one)
        kept.append(one)
    last = {one.row: one for one in kept}
    assert list(store.standing()) == [one for one in kept if last[one.row] is one]
    store.close()


def test_what_is_refused_stays_as_it_was(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE things (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(BadLabels, match="not of labels"):
        Store(path, CLASSES)
    assert path.read_bytes() == before
    path.write_bytes(b"")
    with pytest.raises(BadLabels, match="not of labels"):
        labels.read(path, CLASSES)
    assert path.read_bytes() == b""


def test_who_reads_needs_no_right_to_write_and_waits_for_nobody(ordinary: Path) -> None:
    path = ordinary / "labels.db"
    with closing(Store(path, CLASSES)) as store:
        store.add(answer(0))
        with store._changing():
            assert labels.read(path, CLASSES).of("a.jpg") == [Click(0, 2, 1)]
    path.chmod(0o444)
    ordinary.chmod(0o555)
    try:
        assert labels.read(path, CLASSES).of("a.jpg") == [Click(0, 2, 1)]
        with pytest.raises(CannotWrite, match=r"labels\.db"):
            Store(path, CLASSES)
    finally:
        ordinary.chmod(0o755)


def test_an_answer_that_measures_the_model_is_asked_but_not_learned_from(path: Path) -> None:
    with closing(Store(path, CLASSES)) as store:
        store.add(answer(1, source="audit"))
        store.add(answer(2, source="free", class_name="sky"))
        store.add(answer(3))
        labels, audit, both = store.labels(), store.audit(), store.labels(audits=True)
    assert [(one.row, one.label) for one in labels.of("a.jpg")] == [(1, None), (2, 0), (3, 1)]
    assert [(one.row, one.label) for one in audit.of("a.jpg")] == [(1, 1)]
    assert [(one.row, one.label) for one in both.of("a.jpg")] == [(1, 1), (2, 0), (3, 1)]


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_a_version_before_is_read_as_it_is_and_upgraded_to_write(
    version: int, path: Path
) -> None:
    with closing(Store(path, CLASSES)) as store:
        store.add(answer(1))
    with closing(sqlite3.connect(path)) as old:  # as it was before answers had these columns
        old.execute("DROP VIEW standing")
        for column in ("reviews", "guess", "source")[: 4 - version]:
            old.execute(f"ALTER TABLE answers DROP COLUMN {column}")
        old.execute(next(one for one in database._statements() if "CREATE VIEW" in one))
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
    before = path.read_bytes()
    assert labels.read(path, CLASSES).of("a.jpg") == [Click(1, 2, 1)]
    assert path.read_bytes() == before
    with closing(Store(path, CLASSES)) as store:
        store.add(answer(2, source="audit"))
        assert [one.source for one in store.standing()] == ["asked", "audit"]
        assert [(one.guess, one.reviews) for one in store.standing()] == [("", None)] * 2


def test_classes_are_added_behind_the_others_and_old_answers_stay(path: Path) -> None:
    with closing(Store(path, CLASSES, grows=True)) as store:
        store.add(answer(1))
        with labels.store.reading(path, CLASSES) as reader:
            store.add_class("tree")
            assert store.classes == (*CLASSES, "tree")
            store.add(answer(2, class_name="tree"))
            assert reader.reread_classes() == (*CLASSES, "tree")
            assert [one.label for one in reader.labels().of("a.jpg")] == [1, len(CLASSES)]
    with closing(Store(path, (*CLASSES, "tree", "bus"), grows=True)) as store:
        assert store.classes == (*CLASSES, "tree", "bus"), "one list goes on where the other ends"
    with closing(Store(path, CLASSES, grows=True)) as store:
        assert store.classes == (*CLASSES, "tree", "bus")
    with pytest.raises(BadLabels, match="not of"):
        Store(path, CLASSES)
    with pytest.raises(BadLabels, match="not of"):
        Store(path, ("other", *CLASSES), grows=True)


@pytest.mark.parametrize(
    "name",
    ["", " car", "car ", "a\nb", "x" * 101, "unsure", "skip", "unlabeled", CLASSES[0].upper()],
)
def test_a_class_that_could_not_be_told_apart_is_refused(name: str, path: Path) -> None:
    with closing(Store(path, CLASSES, grows=True)) as store:
        with pytest.raises(BadInput):
            store.add_class(name)
        assert store.classes == CLASSES
    with closing(Store(path, CLASSES)) as fixed, pytest.raises(BadInput, match="of the graph"):
        fixed.add_class("tree")


def test_an_answer_that_is_looked_at_again_stands_until_that_is_taken_back(path: Path) -> None:
    with closing(Store(path, CLASSES)) as store:
        number, _ = store.add(answer(1, source="free"))
        again = replace(
            answer(1, request="again", class_name="sky"), source="free", reviews=number, guess="sky"
        )
        store.add(again)
        assert store.find(("a.jpg", 1, 2)) == (number + 1, again)
        assert store.find(("a.jpg", 2, 2)) is None
        store.undo("ann", time="t", request="back")
        found = store.find(("a.jpg", 1, 2))
        assert found is not None
        assert (found[0], found[1].reviews) == (number, None)


def test_the_share_of_confirmed_guesses_counts_questions_of_a_model_alone(path: Path) -> None:
    with closing(Store(path, CLASSES)) as store:
        for row in range(9):
            store.add(answer(row, guess="road", class_name="road" if row < 6 else "sky"))
        assert store.confirmed() is None, "too few"
        store.add(answer(10, guess="road", class_name="road", source="audit"))
        store.add(answer(11, class_name="road"))
        assert store.confirmed() is None
        store.add(answer(12, guess="sky", class_name="road"))
        assert store.confirmed() == 0.6


def test_the_count_is_of_answers_that_were_not_taken_back(path: Path) -> None:
    with closing(Store(path, CLASSES, grows=True)) as store:
        assert store.count() == 0
        for row in range(4):
            store.add(answer(row))
        store.undo("ann", time="t", request="one")
        store.undo("ann", time="t", request="two")
        assert (store.count(), store.length()) == (2, 6)


def test_a_class_that_was_added_this_moment_is_not_learned_yet(path: Path) -> None:
    with closing(Store(path, CLASSES, grows=True)) as store:
        store.add_class("tree")
        with labels.store.reading(path, (*CLASSES, "tree")) as reader:
            reader.classes = CLASSES  # as they were read before
            store.add(answer(1, class_name="tree"))
            store.add(answer(2, class_name="tree", source="audit"))
            assert [one.label for one in reader.labels().of("a.jpg")] == [None, None]
            assert not reader.audit().clicks
