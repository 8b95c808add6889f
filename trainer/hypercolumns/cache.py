"""The cache of backbone features in one file, so that a new click needs no second forward pass.

An SQLite database, which stays consistent if the process is killed. For every photograph it holds
the vectors at the labelled pixels and the sums for mean and deviation, which are small, and the
maps while there is room. Keys are hashes of what they depend on: the bytes of the file, the
backbone and its weights, and the size.
"""

import json
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scorer.errors import BadInput
from scorer.files import check_writable
from scorer.images.geometry import Geometry
from trainer.clicks import Points
from trainer.hypercolumns.maps import Maps

_FORMAT = 1
_MARK = 0x62616C65  # application_id: "bale"
_PATIENCE_S = 60
_LARGEST = 500_000_000  # bytes of a blob: SQLite needs twice as much memory
_TABLES = (
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, sums BLOB NOT NULL, points BLOB NOT NULL, "
    "vectors BLOB NOT NULL)",
    "CREATE TABLE maps (key BLOB PRIMARY KEY, bytes INTEGER NOT NULL, header TEXT NOT NULL, "
    "stages BLOB NOT NULL)",
    "CREATE INDEX maps_bytes ON maps (key, bytes)",
)

Vectors = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Kept:
    """The cached data of a photograph: vectors float16 [N, channels] at points [N, 2], and sums."""

    points: Points
    vectors: Vectors
    sums: npt.NDArray[np.float64]

    def at(self, points: Points) -> Vectors | None:
        """The vectors at these points; None if one of them is missing."""
        places = {place.tobytes(): index for index, place in enumerate(self.points)}
        found = [places.get(place.tobytes()) for place in points]
        return None if None in found else self.vectors[np.array(found, np.intp)]

    def with_more(self, more: "Kept") -> "Kept":
        """With the further points of `more`, which is of the same photograph."""
        there = {place.tobytes() for place in self.points}
        new = [index for index, place in enumerate(more.points) if place.tobytes() not in there]
        points = np.concatenate((self.points, more.points[new]))
        return Kept(points, np.concatenate((self.vectors, more.vectors[new])), self.sums)


class Cache:
    """The cache file, for several threads and processes.

    most_bytes: largest total size of the maps; beyond it, maps that this run has not used are
    deleted.
    """

    def __init__(self, path: Path, *, most_bytes: int) -> None:
        self.path, self._most = path, most_bytes
        self._lock, self._used = threading.Lock(), set[bytes]()
        self.full = False  # whether the disk is full
        check_writable(path)
        with self._told():
            self._base = sqlite3.connect(
                path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            self._begin()

    def _begin(self) -> None:
        """Create the tables, one process at a time. Raises BadInput if the file is something
        else.
        """
        ask = self._base.execute
        ask("BEGIN IMMEDIATE")
        mark, version, tables = (
            ask(question).fetchone()[0]
            for question in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if tables and (mark, version) != (_MARK, _FORMAT):
            raise BadInput(
                f"{self.path} holds no features of this version",
                remedy="remove the file; its content is computed again",
            )
        if not tables:
            ask(f"PRAGMA application_id = {_MARK}")
            ask(f"PRAGMA user_version = {_FORMAT}")
            for table in _TABLES:
                ask(table)
        ask("COMMIT")

    def close(self) -> None:
        """Close the database; nothing is lost without it."""
        with self._lock:
            self._base.close()

    def kept(self, key: bytes) -> Kept | None:
        """The vectors of a photograph; None if they are not cached."""
        row = self._row("SELECT points, vectors, sums FROM vectors WHERE key = ?", key)
        if row is None:
            return None
        points = np.frombuffer(row[0], np.float32).reshape(-1, 2)
        vectors = np.frombuffer(row[1], np.float16).reshape(len(points), -1)
        return Kept(points, vectors, np.frombuffer(row[2], np.float64).reshape(3, -1))

    def keep(self, key: bytes, kept: Kept) -> None:
        """Store the vectors of a photograph in place of earlier ones."""
        if self.full:
            return
        row = (key, kept.sums.tobytes(), kept.points.tobytes(), kept.vectors.tobytes())
        with self._lock, self._writing():
            self._base.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", row)

    def maps(self, key: bytes) -> Maps | None:
        """The maps of a photograph; None if they are not cached."""
        row = self._row("SELECT header, stages FROM maps WHERE key = ?", key)
        if row is None:
            return None
        self._used.add(key)
        header = json.loads(row[0])
        shapes = [tuple(shape) for shape in header["shapes"]]
        parts = np.split(
            np.frombuffer(row[1], np.float16),
            np.cumsum([math.prod(shape) for shape in shapes])[:-1],
        )
        stages = tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
        height, width, *grid = header["geometry"]
        return Maps(stages, Geometry((height, width), (grid[0], grid[1])))

    def keep_maps(self, key: bytes, maps: Maps) -> None:
        """Store maps, if they fit beside those that this run uses."""
        if self.full or sum(stage.nbytes for stage in maps.stages) > _LARGEST:
            return
        shapes = [stage.shape for stage in maps.stages]
        header = json.dumps(
            {"shapes": shapes, "geometry": (*maps.geometry.image, *maps.geometry.grid)}
        )
        stages = b"".join(stage.tobytes() for stage in maps.stages)
        with self._lock, self._writing():
            self._used.add(key)
            if self._make_room(len(stages)):
                self._base.execute(
                    "INSERT OR REPLACE INTO maps VALUES (?, ?, ?, ?)",
                    (key, len(stages), header, stages),
                )

    def _make_room(self, more: int) -> bool:
        """Delete maps that this run has not used until `more` bytes fit; returns whether they
        fit.
        """
        if more > self._most:
            return False
        (total,) = self._base.execute("SELECT coalesce(sum(bytes), 0) FROM maps").fetchone()
        if total + more <= self._most:
            return True
        oldest = self._base.execute("SELECT key, bytes FROM maps ORDER BY rowid").fetchall()
        for key, size in oldest:
            if key not in self._used:
                self._base.execute("DELETE FROM maps WHERE key = ?", (key,))
                total -= size
            if total + more <= self._most:
                return True
        return False

    def _row(self, question: str, key: bytes) -> tuple[Any, ...] | None:
        with self._lock, self._told():
            found: tuple[Any, ...] | None = self._base.execute(question, (key,)).fetchone()
            return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; if the disk is full, it is rolled back and the cache stays as it is."""
        with self._told():
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                if _code(error) != sqlite3.SQLITE_FULL:
                    raise
                self.full = True

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            remedy = "remove the file; its content is computed again"
            if _code(error) == sqlite3.SQLITE_BUSY:
                remedy = "another process holds it: give the same command again when it has ended"
            if _code(error) == sqlite3.SQLITE_FULL:
                remedy = "free some space, or keep nothing with --keep 0"
            raise BadInput(f"{self.path} cannot be used: {error}", remedy=remedy) from error


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary error code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
