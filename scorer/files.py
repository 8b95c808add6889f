"""Files that appear whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from scorer.errors import CannotWrite


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without error.

    Raises CannotWrite, naming `path`, for a full disk or missing permission; whatever stood at
    `path` before then still stands there.
    """
    short = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    temporary = path.with_name(f".{short}.tmp")
    try:
        with cannot_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
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


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into CannotWrite that names `path`."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror or error}",
            remedy="free some space or choose another place with --out",
        ) from error
