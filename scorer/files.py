"""Writes files atomically."""

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Generic, TypeVar

from scorer.errors import CannotWrite

T = TypeVar("T")


@contextmanager
def replacing_path(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces it when the block ends without error.

    Raises CannotWrite, naming `path`, for a full disk or missing permission; then the previous file
    remains. shared: whether other processes may write the same file; then a killed one leaves a
    temporary file that the next does not overwrite.
    """
    temporary = _beside(path, secrets.token_hex(4) if shared else "")
    try:
        with cannot_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                # a power cut could otherwise leave the name without the content
                os.fsync(written.fileno())
            temporary.replace(path)
            _keep(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """As `replacing_path`, with an open text file: UTF-8, line ends as written."""
    with (
        replacing_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


class Watched(Generic[T]):
    """The parsed content of a small file, read again when it has changed; thread-safe.

    read: parses the file at a path, which may not exist.
    """

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path, self._read, self._lock = path, read, threading.Lock()
        self._kept: tuple[object, T] | None = None

    @property
    def value(self) -> T:
        """The current content."""
        try:
            status = self._path.stat()
            mark: object = (status.st_mtime_ns, status.st_size)
        except OSError:
            mark = None
        with self._lock:
            if self._kept is None or self._kept[0] != mark:
                self._kept = mark, self._read(self._path)
            return self._kept[1]


def check_writable(path: Path) -> None:
    """Raise CannotWrite if no file can be written there, before hours of work depend on it."""
    if path.is_dir():
        raise CannotWrite(f"cannot write {path}: it is a folder", remedy="give --out a file name")
    with cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = _beside(path)
        probe.touch()
        probe.unlink(missing_ok=True)  # may be of another process that checks at the same time


def _keep(folder: Path) -> None:
    """Make a new name durable by syncing its folder; Windows has no such call."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _beside(path: Path, own: str = "") -> Path:
    # Short, so that the longest possible file name leaves room; the same in every run, so that the
    # file of a killed run is overwritten.
    short = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".{short}{own}.tmp")


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Convert an OSError in the block into CannotWrite, naming `path`."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror or error}",
            remedy="free some space or choose another place for it",
        ) from error
