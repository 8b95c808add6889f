"""The label store: every answer that an annotator gave, one row each, in a SQLite file.

Nothing is overwritten: undo is a row of its own, and the database itself refuses to change or
delete rows. An answer that was acknowledged is on the disk (WAL, synchronous FULL).
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from scorer.errors import BadLabels, CannotWrite
from scorer.labels.click import Click, Labels

SUFFIX = ".db"
ANSWERS = ("label", "unsure", "skip")
UNDO = "undo"
_APPLICATION = 0x42414C45  # "BALE", in the header of the file
_VERSION = 1
_WAIT_S = 30.0
_SCHEMA = """
CREATE TABLE classes (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE answers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  image TEXT NOT NULL,
  row INTEGER NOT NULL CHECK (row >= 0 AND row < height),
  col INTEGER NOT NULL CHECK (col >= 0 AND col < width),
  height INTEGER NOT NULL,
  width INTEGER NOT NULL,
  grid_height INTEGER NOT NULL,
  grid_width INTEGER NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('label', 'unsure', 'skip', 'undo')),
  class TEXT REFERENCES classes (name) CHECK ((answer = 'label') = (class IS NOT NULL)),
  round INTEGER NOT NULL,
  annotator TEXT NOT NULL,
  seconds REAL NOT NULL,
  time TEXT NOT NULL,
  request TEXT NOT NULL UNIQUE,
  graph TEXT NOT NULL,
  undoes INTEGER UNIQUE REFERENCES answers (id) CHECK ((answer = 'undo') = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX answers_by_pixel ON answers (image, row, col);
CREATE TRIGGER answers_stay BEFORE UPDATE ON answers
  BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END;
CREATE TRIGGER answers_remain BEFORE DELETE ON answers
  BEGIN SELECT RAISE(ABORT, 'answers are never deleted'); END;
-- The last answer to every pixel that was not taken back.
CREATE VIEW standing AS
  SELECT * FROM answers AS a WHERE answer != 'undo'
    AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id)
    AND NOT EXISTS (
      SELECT 1 FROM answers AS later
      WHERE later.image = a.image AND later.row = a.row AND later.col = a.col
        AND later.id > a.id AND later.answer != 'undo'
        AND NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = later.id));
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an annotator said of one pixel (row, col) of an image of height x width pixels.

    grid_height, grid_width: the network's grid that the pixel was chosen on. answer: one of
    ANSWERS; class_name: with "label". seconds: that it took; time: ISO 8601, UTC. request: names
    the answer, so that the same one sent twice is one. graph: the hash of the contract of what
    chose the pixel, "" where that is not known.
    """

    image: str
    row: int
    col: int
    height: int
    width: int
    grid_height: int
    grid_width: int
    answer: str
    class_name: str | None
    round: int
    annotator: str
    seconds: float
    time: str
    request: str
    graph: str = ""


_COLUMNS = ", ".join("class" if f.name == "class_name" else f.name for f in fields(Answer))
_PLACES = ", ".join("?" for _ in fields(Answer))
# Of our own names alone.
_SELECT = f"SELECT {_COLUMNS} FROM answers"  # noqa: S608
_STANDING = f"SELECT {_COLUMNS} FROM standing ORDER BY id"  # noqa: S608
_UNDONE = _SELECT + " WHERE id = (SELECT undoes FROM answers WHERE request = ?)"  # noqa: S608
_INSERT = f"INSERT INTO answers ({_COLUMNS}, undoes) VALUES ({_PLACES}, ?)"  # noqa: S608


class Store:
    """An open label store, for several threads of several programs at once."""

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        """Open or make the store of these classes; BadLabels for one of others."""
        self.path = path
        self.classes = tuple(classes)
        self._lock = threading.Lock()
        with _named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = _open(path, self.classes)

    def add(self, answer: Answer) -> tuple[int, bool]:
        """Keep an answer; returns its number once it is on the disk, and whether it is new.

        The same request is kept once. BadLabels for one that makes no sense.
        """
        with self._changing() as connection:
            return _insert(connection, answer)

    def extend(self, answers: Iterable[Answer]) -> int:
        """Keep all of them or none; returns how many were new."""
        with self._changing() as connection:
            return sum(_insert(connection, answer)[1] for answer in answers)

    def undo(self, annotator: str, *, time: str, request: str) -> Answer | None:
        """Take back an annotator's last standing answer, by a row that says so; what it was."""
        with self._changing() as connection:
            known = connection.execute(_UNDONE, (request,)).fetchone()
            if known:
                return _answer(known)
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

    def standing(self) -> Iterator[Answer]:
        """The answer to every pixel as it stands, in the order in which they were given."""
        yield from map(_answer, self._all(_STANDING))

    def history(self) -> Iterator[Answer]:
        """Everything that was ever said, what was taken back and the taking back, too."""
        yield from map(_answer, self._all(_SELECT + " ORDER BY id"))

    def labels(self) -> Labels:
        """For training and ranking: unsure is a click without a label, a skipped pixel is none."""
        clicks: dict[str, list[Click]] = defaultdict(list)
        for one in self.standing():
            if one.answer != "skip":
                label = None if one.class_name is None else self.classes.index(one.class_name)
                clicks[one.image].append(Click(one.row, one.col, label))
        return Labels(dict(clicks))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside."""
        with self._lock, _named(self.path), self._database as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _all(self, query: str) -> list[tuple[object, ...]]:
        with self._lock, _named(self.path):
            return self._database.execute(query).fetchall()


def classes_of(path: Path) -> tuple[str, ...]:
    """The classes that a store was made with, in their order."""
    _check_there(path)
    with _named(path), closing(sqlite3.connect(path, timeout=_WAIT_S)) as connection:
        return _known(connection, path)


def read(path: Path, classes: Sequence[str]) -> Labels:
    """The labels of a store that is there, in the indices of `classes`."""
    _check_there(path)
    with closing(Store(path, classes)) as store:
        return store.labels()


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise BadLabels(
            f"{path} does not exist", remedy="scorer serve or scorer labels import makes it"
        )


def _insert(connection: sqlite3.Connection, answer: Answer) -> tuple[int, bool]:
    """The number of an answer, and whether it is new."""
    if answer.answer not in ANSWERS:
        raise BadLabels(f"{answer.answer!r} is not an answer", remedy=f"one of {ANSWERS}")
    known = connection.execute(
        "SELECT id, image, row, col, answer, class, annotator FROM answers WHERE request = ?",
        (answer.request,),
    ).fetchone()
    if known:
        said = (answer.image, answer.row, answer.col)
        if known[1:] != (*said, answer.answer, answer.class_name, answer.annotator):
            raise BadLabels(
                f"the request {answer.request!r} was another answer",
                remedy="every answer has a request of its own",
            )
        return int(known[0]), False
    number = connection.execute(_INSERT, (*astuple(answer), None)).lastrowid
    assert number is not None
    return number, True


def _open(path: Path, classes: tuple[str, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        _prepare(connection, path, classes)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, classes: tuple[str, ...]) -> None:
    """Make the tables of a new file; refuse any other file, and a store of other classes."""
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    if not kind and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in _statements():
            connection.execute(statement)
        connection.executemany("INSERT INTO classes VALUES (?, ?)", enumerate(classes))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        return
    names = _known(connection, path)
    if names != classes:
        raise BadLabels(
            f"{path} holds labels of the classes {', '.join(names)}, not of {', '.join(classes)}",
            remedy="choose another file, or the graph and dataset that those labels are of",
        )


def _known(connection: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    """The classes of a store; any other file is refused."""
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if kind != _APPLICATION:
        raise BadLabels(f"{path} is a database, but not of labels", remedy="choose another file")
    if version != _VERSION:
        raise BadLabels(
            f"{path} is a label store of version {version}, this program knows {_VERSION}",
            remedy="install the version of balentacq that wrote it",
        )
    names = connection.execute("SELECT name FROM classes ORDER BY position")
    return tuple(name for (name,) in names)


def _statements() -> Iterator[str]:
    """One by one: SQLite's own script would end the transaction."""
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _answer(values: Sequence[object]) -> Answer:
    return Answer(**dict(zip((f.name for f in fields(Answer)), values, strict=True)))  # type: ignore[arg-type]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """SQLite's errors in our words, with the file's name."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise BadLabels(f"{path} does not take this answer: {error}") from error
    except sqlite3.OperationalError as error:
        raise CannotWrite(
            f"cannot write {path}: {error}", remedy="free some space, or choose another --labels"
        ) from error
    except sqlite3.DatabaseError as error:
        raise BadLabels(f"{path} is not a label store: {error}", remedy="choose another") from error
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror or error}") from error
