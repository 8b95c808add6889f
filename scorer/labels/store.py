"""The label store: every answer that an annotator gave, one row each, in a SQLite file.

Nothing is overwritten: undo is a row of its own, and the database itself refuses to change or
delete rows. An answer that was acknowledged is on the disk (WAL, synchronous FULL).
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, fields, replace
from pathlib import Path

from scorer.errors import BadLabels
from scorer.labels.answer import ANSWERS, ASKED, AUDIT, UNDO, Answer
from scorer.labels.click import Click, Labels
from scorer.labels.database import (
    check_classes,
    classes_in,
    has_source,
    named,
    open_reading,
    open_writing,
)

SUFFIX = ".db"
_COLUMNS = ", ".join("class" if f.name == "class_name" else f.name for f in fields(Answer))
_PLACES = ", ".join("?" for _ in fields(Answer))
# Of our own names alone.
_SELECT = f"SELECT {_COLUMNS} FROM answers"  # noqa: S608
_STANDING = f"SELECT {_COLUMNS} FROM standing ORDER BY id"  # noqa: S608
_UNDONE = _SELECT + " WHERE id = (SELECT undoes FROM answers WHERE request = ?)"  # noqa: S608
_INSERT = f"INSERT INTO answers ({_COLUMNS}, undoes) VALUES ({_PLACES}, ?)"  # noqa: S608


class Reader:
    """A label store that is there, opened to read, for any thread."""

    def __init__(self, path: Path, classes: Sequence[str], database: sqlite3.Connection) -> None:
        self.path, self.classes = path, tuple(classes)
        self._database, self._lock = database, threading.Lock()
        self._has_source = False  # as far as is known: a writer may upgrade the store at any time

    def standing(self) -> Iterator[Answer]:
        """The answer to every pixel as it stands, in the order in which they were given."""
        yield from map(_answer, self._all(self._readable(_STANDING)))

    def history(self) -> Iterator[Answer]:
        """Everything that was ever said, what was taken back and the taking back, too."""
        yield from map(_answer, self._all(self._readable(_SELECT + " ORDER BY id")))

    def length(self) -> int:
        """How many rows there are: it grows with every answer, and with every undo."""
        ((count,),) = self._all("SELECT COUNT(*) FROM answers")
        assert isinstance(count, int)
        return count

    def labels(self) -> Labels:
        """For training and ranking: unsure is a click without a label, a skipped pixel is none.

        An answer that measures the model is one without a label, too: it is not learned from.
        """
        clicks: dict[str, list[Click]] = defaultdict(list)
        for one in self.standing():
            if one.answer != "skip":
                is_known = one.class_name is not None and one.source != AUDIT
                label = self.classes.index(one.class_name or "") if is_known else None
                clicks[one.image].append(Click(one.row, one.col, label))
        return Labels(dict(clicks))

    def stands(self, pixel: tuple[str, int, int]) -> bool:
        """Whether a pixel (image, row, col) has an answer that stands."""
        image, row, col = pixel
        query = "SELECT 1 FROM standing WHERE image = ? AND row = ? AND col = ?"
        with self._lock, named(self.path):
            return self._database.execute(query, (image, row, col)).fetchone() is not None

    def audit(self) -> Labels:
        """Those of random pixels that were asked to measure the model."""
        clicks: dict[str, list[Click]] = defaultdict(list)
        for one in self.standing():
            if one.source == AUDIT and one.class_name is not None:
                label = self.classes.index(one.class_name)
                clicks[one.image].append(Click(one.row, one.col, label))
        return Labels(dict(clicks))

    def _readable(self, query: str) -> str:
        """For a store that was written before answers had a source, and is only read."""
        with self._lock, named(self.path):
            self._has_source = self._has_source or has_source(self._database)
        return query if self._has_source else query.replace(", source", f", '{ASKED}'")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _all(self, query: str, *values: str) -> list[tuple[object, ...]]:
        with self._lock, named(self.path):
            return self._database.execute(query, values).fetchall()


class Store(Reader):
    """An open label store, for several threads of several programs at once."""

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        """Open or make the store of these classes; BadLabels for one of others."""
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            super().__init__(path, classes, open_writing(path, classes))

    def add(self, answer: Answer) -> tuple[int, bool]:
        """Keep an answer; returns its number once it is on the disk, and whether it is new.

        The same request is kept once. BadLabels for one that makes no sense.
        """
        with self._changing() as connection:
            return _insert(connection, answer)

    def extend(self, answers: Iterable[Answer]) -> list[Answer]:
        """Keep all of them or none; returns those that were new."""
        with self._changing() as connection:
            return [answer for answer in answers if _insert(connection, answer)[1]]

    def undo(self, annotator: str, *, time: str, request: str) -> Answer | None:
        """Take back an annotator's last standing answer, by a row that says so; what it was."""
        with self._changing() as connection:
            before = connection.execute(_UNDONE, (request,)).fetchone()
            if before:
                return _answer(before)
            last = connection.execute(
                "SELECT MAX(id) FROM standing WHERE annotator = ?", (annotator,)
            ).fetchone()[0]
            if last is None:
                return None
            found = _answer(connection.execute(_SELECT + " WHERE id = ?", (last,)).fetchone())
            taken = replace(
                found, answer=UNDO, class_name=None, time=time, request=request, seconds=0.0
            )
            connection.execute(_INSERT, (*astuple(taken), last))
            return found

    def knows(self, request: str) -> bool:
        """Whether this request has its answer."""
        return bool(self._all("SELECT 1 FROM answers WHERE request = ?", request))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside."""
        with self._lock, named(self.path), self._database as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def classes_of(path: Path) -> tuple[str, ...]:
    """The classes that a store was made with, in their order."""
    with named(path), closing(open_reading(path)) as connection:
        return classes_in(connection, path)


@contextmanager
def reading(path: Path, classes: Sequence[str]) -> Iterator[Reader]:
    """A store of these classes that is there, opened to read; BadLabels for anything else."""
    with named(path), closing(open_reading(path)) as connection:
        check_classes(connection, path, classes)
        yield Reader(path, classes, connection)


def read(path: Path, classes: Sequence[str]) -> Labels:
    """The labels of a store that is there, in the indices of `classes`."""
    with reading(path, classes) as store:
        return store.labels()


def _insert(connection: sqlite3.Connection, answer: Answer) -> tuple[int, bool]:
    """The number of an answer, and whether it is new."""
    if answer.answer not in ANSWERS:
        raise BadLabels(f"{answer.answer!r} is not an answer", remedy=f"one of {ANSWERS}")
    before = connection.execute(
        "SELECT id, image, row, col, answer, class, annotator FROM answers WHERE request = ?",
        (answer.request,),
    ).fetchone()
    if before:
        pixel = (answer.image, answer.row, answer.col)
        if before[1:] != (*pixel, answer.answer, answer.class_name, answer.annotator):
            raise BadLabels(
                f"the request {answer.request!r} was another answer",
                remedy="every answer has a request of its own",
            )
        return int(before[0]), False
    number = connection.execute(_INSERT, (*astuple(answer), None)).lastrowid
    assert number is not None
    return number, True


def _answer(values: Sequence[object]) -> Answer:
    return Answer(**dict(zip((f.name for f in fields(Answer)), values, strict=True)))  # type: ignore[arg-type]
