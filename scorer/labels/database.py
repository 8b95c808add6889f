"""Opens the SQLite file of a label store, and defines its tables."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scorer.errors import BadLabels, CannotWrite
from scorer.labels import class_name
from scorer.labels.answer import ASKED

_APPLICATION = 0x42414C45  # "BALE", in the header of the file
_VERSION = 3
# Columns that older stores lack until they are opened for writing: the version that added them, and
# their value in older stores.
_ADDED = {"source": (2, f"'{ASKED}'"), "guess": (3, "''"), "reviews": (3, "NULL")}
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
  undoes INTEGER UNIQUE REFERENCES answers (id) CHECK ((answer = 'undo') = (undoes IS NOT NULL)),
  source TEXT NOT NULL DEFAULT 'asked' CHECK (source IN ('asked', 'audit', 'free')),
  guess TEXT NOT NULL DEFAULT '',
  reviews INTEGER REFERENCES answers (id)
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


def open_writing(path: Path, classes: Sequence[str], *, grows: bool = False) -> sqlite3.Connection:
    """Open or create the database of these classes. Raises BadLabels for other files, which stay
    unchanged.

    grows: classes may be added later, so that one of both lists may extend the other.
    """
    connection = sqlite3.connect(
        path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
    )
    try:
        if not _is_empty(connection):
            _check(connection, path, classes, grows=grows)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        if _is_empty(connection):
            _make(connection, classes)
        _check(connection, path, classes, grows=grows)
        _upgrade(connection)
        names = classes_in(connection, path)
        _insert(connection, len(names), classes[len(names) :])
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reading(path: Path) -> sqlite3.Connection:
    """Open an existing database without write permission and without waiting for writers."""
    if not path.is_file():
        raise BadLabels(
            f"{path} does not exist", remedy="create it with: scorer serve, or scorer labels import"
        )
    address = path.absolute().as_uri()
    connection = _connected(f"{address}?mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        # In WAL mode a reader creates a file; where it may not, the database has no writers.
        connection.close()
        if _log(path).is_file():
            raise
        return _connected(f"{address}?mode=ro&immutable=1")
    return connection


def check_classes(connection: sqlite3.Connection, path: Path, classes: Sequence[str]) -> None:
    """Raise BadLabels for a store of other classes, or another file."""
    names = classes_in(connection, path)
    if names != tuple(classes):
        raise BadLabels(
            f"{path} holds labels of the classes {', '.join(names)}, not of {', '.join(classes)}",
            remedy="choose another file, or use the graph and the dataset that these labels "
            "belong to",
        )


def classes_in(connection: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    """The classes of a store, in order. Raises BadLabels for other files."""
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if kind != _APPLICATION:
        raise BadLabels(f"{path} is a database, but not of labels", remedy="choose another file")
    if not 1 <= version <= _VERSION:
        raise BadLabels(
            f"{path} is a label store of version {version}, this program knows {_VERSION}",
            remedy="install the version of balentacq that wrote it",
        )
    names = connection.execute("SELECT name FROM classes ORDER BY position")
    return tuple(name for (name,) in names)


def add_class(connection: sqlite3.Connection, path: Path, name: str) -> None:
    """Append a class. Raises BadInput for an invalid name."""
    names = classes_in(connection, path)
    class_name.check(name, names)
    _insert(connection, len(names), [name])


def columns(connection: sqlite3.Connection, names: Iterable[str]) -> tuple[str, bool]:
    """The columns of an answer as SQL, with default values for missing ones; whether none is
    missing.
    """
    version = _version(connection)
    lacking = {name: text for name, (since, text) in _ADDED.items() if since > version}
    return ", ".join(lacking.get(name, name) for name in names), not lacking


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(
    connection: sqlite3.Connection, path: Path, classes: Sequence[str], *, grows: bool
) -> None:
    names = classes_in(connection, path)
    if not grows or any(one != other for one, other in zip(names, classes, strict=False)):
        check_classes(connection, path, classes)


def _upgrade(connection: sqlite3.Connection) -> None:
    for name, (since, _) in _ADDED.items():
        if since > _version(connection):
            column = next(line for line in _SCHEMA.splitlines() if line.startswith(f"  {name} "))
            connection.execute(f"ALTER TABLE answers ADD COLUMN {column.strip().removesuffix(',')}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Convert SQLite's errors into BadLabels or CannotWrite, naming the file."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise BadLabels(
            f"{path} does not take this answer: {error}",
            remedy="give a class of the label store and a pixel of the image",
        ) from error
    except sqlite3.OperationalError as error:
        raise _failed(path, error) from error
    except sqlite3.DatabaseError as error:
        raise BadLabels(f"{path} is not a label store: {error}", remedy="choose another") from error
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror or error}",
            remedy="free some space, or choose a file that may be written",
        ) from error


def _failed(path: Path, error: sqlite3.OperationalError) -> CannotWrite:
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
        return CannotWrite(
            f"{path} is busy: another program has been writing to it for {_WAIT_S:g} s",
            remedy="try again, or end that program",
        )
    return CannotWrite(
        f"cannot use {path}: {error}", remedy="free some space, or choose another --labels"
    )


def _connected(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_empty(connection: sqlite3.Connection) -> bool:
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    return not kind and not connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _make(connection: sqlite3.Connection, classes: Sequence[str]) -> None:
    for statement in _statements():
        connection.execute(statement)
    _insert(connection, 0, classes)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _insert(connection: sqlite3.Connection, first: int, classes: Sequence[str]) -> None:
    """Insert classes at positions from `first` on."""
    connection.executemany("INSERT INTO classes VALUES (?, ?)", enumerate(classes, first))


def _statements() -> Iterator[str]:
    """The statements of the schema one by one, because executescript would end the transaction."""
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
