"""Locks an output file, so that only one command at a time writes it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from scorer.errors import BadInput
from scorer.files import cannot_write


@contextmanager
def instance_lock(written: Path, who: str, remedy: str) -> Iterator[None]:
    """Hold a lock of `written` during the block. Raises BadInput if another process holds it.

    who: the holder, for the message. On a file system without locks, the block runs without one.
    """
    path = written.with_name(f".{written.name}.lock")
    lock = filelock.FileLock(path, timeout=0)
    with cannot_write(written):
        written.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # a lock file without write permission would look like a held lock
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BadInput(f"{written} is in use by another {who}", remedy=remedy) from None
    except NotImplementedError:
        yield
        return
    except OSError as error:
        with cannot_write(written):
            raise error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # deleted while held: a process that has it open detects this
        lock.release()
