"""Files that appear whole or not at all."""

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
    """A temporary path beside `path` that takes its place when the block ends without error.

    Raises CannotWrite, naming `path`, for a full disk or missing permission; whatever stood at
    `path` before then still stands there. shared: another process may write the same; then what a
    killed one leaves is not written over by the next.
    """
    temporary = _beside(path, secrets.token_hex(4) if shared else "")
    try:
        with cannot_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # or a power cut may leave the name without the bytes
            temporary.replace(path)
            _keep(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """The same for text: UTF-8, line ends as written."""
    with (
        replacing_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


class Watched(Generic[T]):
    """What a small file says, read again when it has changed; for any thread. read: of a path, also
    where no file is.
    """

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path, self._read, self._lock = path, read, threading.Lock()
        self._kept: tuple[object, T] | None = None

    @property
    def value(self) -> T:
        """As it is now."""
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
    """Raise CannotWrite now for a place where no file can be put, before hours depend on it."""
    if path.is_dir():
        raise CannotWrite(f"cannot write {path}: it is a folder", remedy="give --out a file name")
    with cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = _beside(path)
        probe.touch()
        probe.unlink(missing_ok=True)  # of another process that looks at the same time


def _keep(folder: Path) -> None:
    """A name is on the disk once its folder is; Windows has no call for it."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _beside(path: Path, own: str = "") -> Path:
    # Short, so that a name as long as a file system takes leaves room; the same in every run, so
    # that what a killed one left is written over.
    short = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".{short}{own}.tmp")


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into CannotWrite that names `path`."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror or error}",
            remedy="free some space or choose another place for it",
        ) from error
