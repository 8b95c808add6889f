"""The label store: every answer of an annotator is a row of a SQLite file.

Nothing is overwritten: undo adds a row, and the database refuses to change or delete rows. An
acknowledged answer is on the disk (WAL, synchronous FULL).
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, fields, replace
from pathlib import Path

from scorer.errors import BadInput, BadLabels
from scorer.labels.answer import ANSWERS, UNDO, Answer
from scorer.labels.answered import Answered
from scorer.labels.click import Labels
from scorer.labels.database import (
    add_class,
    check_classes,
    classes_in,
    columns,
    named,
    open_reading,
    open_writing,
)

SUFFIX = ".db"
_NAMES = ["class" if f.name == "class_name" else f.name for f in fields(Answer)]
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" for _ in fields(Answer))
# Built from constant names only.
_SELECT = f"SELECT {_COLUMNS} FROM answers"  # noqa: S608
_UNDONE = _SELECT + " WHERE id = (SELECT undoes FROM answers WHERE request = ?)"  # noqa: S608
_INSERT = f"INSERT INTO answers ({_COLUMNS}, undoes) VALUES ({_PLACES}, ?)"  # noqa: S608
_STANDS = " WHERE id = ? AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = answers.id)"
_WAS_UNDONE = "SELECT 1 FROM answers AS a JOIN answers AS u ON u.undoes = a.id WHERE a.request = ?"


class Reader(Answered):
    """An existing label store, opened for reading; thread-safe."""

    def __init__(self, path: Path, classes: Sequence[str], database: sqlite3.Connection) -> None:
        self.path, self.classes = path, tuple(classes)
        self._database, self._lock = database, threading.Lock()
        # set once the store has all columns: a writer may still upgrade it
        self._columns: str | None = None

    def standing(self) -> Iterator[Answer]:
        """The current answer to every pixel, in order of time."""
        yield from map(_answer, self._all(self._select("standing") + " ORDER BY id"))

    def history(self) -> Iterator[Answer]:
        """Every row: answers, retracted ones, and retractions."""
        yield from map(_answer, self._all(self._select("answers") + " ORDER BY id"))

    def given(self) -> Iterator[tuple[int, Answer]]:
        """Yield every answer that was not retracted, with its number, including replaced ones."""
        kept = " WHERE answer != ? AND id NOT IN (SELECT undoes FROM answers WHERE undoes > 0)"
        for row in self._all(self._select("answers", "id") + kept + " ORDER BY id", UNDO):
            yield int(str(row[-1])), _answer(row[:-1])

    def reread_classes(self) -> tuple[str, ...]:
        """Read the class names again, as a writer may have added some."""
        with self._lock, named(self.path):
            self.classes = classes_in(self._database, self.path)
        return self.classes

    def length(self) -> int:
        """Number of rows, which grows with every answer and every undo."""
        ((count,),) = self._all("SELECT COUNT(*) FROM answers")
        assert isinstance(count, int)
        return count

    def count(self) -> int:
        """Number of answers that were not retracted."""
        ((found,),) = self._all(
            "SELECT COUNT(*) - 2 * COALESCE(SUM(answer = 'undo'), 0) FROM answers"
        )
        return int(str(found))

    def find(self, pixel: tuple[str, int, int]) -> tuple[int, Answer] | None:
        """The current answer to a pixel (image, row, col), with its number; None without one."""
        where = " WHERE image = ? AND row = ? AND col = ?"
        found = self._all(self._select("standing", "id") + where, *pixel)
        return (int(str(found[0][-1])), _answer(found[0][:-1])) if found else None

    def _select(self, table: str, *more: str) -> str:
        """A SELECT of the columns of an answer, and `more`, from a table; only from constant names.

        A store that is only read may be too old to have all columns.
        """
        if self._columns is None:
            with self._lock, named(self.path):
                found, is_whole = columns(self._database, _NAMES)
            self._columns = found if is_whole else None
        else:
            found = self._columns
        return f"SELECT {', '.join((found, *more))} FROM {table}"  # noqa: S608

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _all(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock, named(self.path):
            return self._database.execute(query, values).fetchall()


class Store(Reader):
    """An open label store, for several threads and programs at once."""

    def __init__(self, path: Path, classes: Sequence[str], *, grows: bool = False) -> None:
        """Open or create the store of these classes. Raises BadLabels for a store of others.

        grows: annotators may add classes, and may have done so before.
        """
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            database = open_writing(path, classes, grows=grows)
            super().__init__(path, classes_in(database, path), database)
        self.grows = grows

    def add_class(self, name: str) -> None:
        """Append a class; it is on the disk when this returns. Raises BadInput."""
        if not self.grows:
            raise BadInput(
                "no classes can be added here: they are those of the graph",
                remedy="start with trainer live, where annotators can add classes",
            )
        with self._changing() as connection:
            add_class(connection, self.path, name)
            self.classes = classes_in(connection, self.path)

    def add(self, answer: Answer) -> tuple[int, bool]:
        """Store an answer; returns its number once it is on the disk, and whether it is new.

        A repeated request is stored once. Raises BadLabels for an invalid answer.
        """
        with self._changing() as connection:
            return _insert(connection, answer)

    def extend(self, answers: Iterable[Answer]) -> list[Answer]:
        """Store all answers or none; returns the new ones."""
        with self._changing() as connection:
            return [answer for answer in answers if _insert(connection, answer)[1]]

    def undo(self, annotator: str, *, time: str, request: str) -> Answer | None:
        """Retract an annotator's latest current answer by adding a row; returns it, or None without
        one.
        """
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
            _take_back(connection, last, found, time=time, request=request)
            return found

    def retract(self, numbers: Iterable[int], *, time: str) -> list[Answer]:
        """Retract the answers with these numbers, all or none, by adding rows; returns them.

        Answers that were already retracted are skipped.
        """
        taken = []
        with self._changing() as connection:
            for number in numbers:
                row = connection.execute(_SELECT + _STANDS, (number,)).fetchone()
                if row is not None:
                    taken.append(_answer(row))
                    request = f"retract-{number}"
                    _take_back(connection, number, taken[-1], time=time, request=request)
        return taken

    def said_again(self, request: str) -> str:
        """The id of a request or, if its answer was retracted, a new id for the same request."""
        while self._all(_WAS_UNDONE, request):
            request = hashlib.sha256(f"again {request}".encode()).hexdigest()
        return request

    def knows(self, request: str) -> bool:
        """Whether this request has been stored."""
        return self.received(request) is not None

    def received(self, request: str) -> tuple[int, Answer] | None:
        """The answer of a request, with its number; None if it is unknown."""
        found = self._all(self._select("answers", "id") + " WHERE request = ?", request)
        return (int(str(found[0][-1])), _answer(found[0][:-1])) if found else None

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction with exclusive write access."""
        with self._lock, named(self.path), self._database as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def classes_of(path: Path) -> tuple[str, ...]:
    """The classes of a store, in order. Raises BadLabels."""
    with named(path), closing(open_reading(path)) as connection:
        return classes_in(connection, path)


@contextmanager
def reading(path: Path, classes: Sequence[str]) -> Iterator[Reader]:
    """Open an existing store of these classes for reading. Raises BadLabels for anything else."""
    with named(path), closing(open_reading(path)) as connection:
        check_classes(connection, path, classes)
        yield Reader(path, classes, connection)


def read(path: Path, classes: Sequence[str], *, audits: bool = False) -> Labels:
    """The labels of an existing store, as indices of `classes`. Raises BadLabels."""
    with reading(path, classes) as store:
        return store.labels(audits=audits)


def _take_back(
    connection: sqlite3.Connection, number: int, answer: Answer, *, time: str, request: str
) -> None:
    row = replace(answer, answer=UNDO, class_name=None, time=time, request=request, seconds=0.0)
    connection.execute(_INSERT, (*astuple(row), number))


def _insert(connection: sqlite3.Connection, answer: Answer) -> tuple[int, bool]:
    """Insert an answer; returns its number, and whether it is new. Raises BadLabels."""
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
