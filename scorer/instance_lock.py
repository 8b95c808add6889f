"""One command at a time writes a file: a second is refused before it has changed anything."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from scorer.errors import BadInput
from scorer.files import cannot_write


@contextmanager
def instance_lock(written: Path, who: str, remedy: str) -> Iterator[None]:
    """Hold `written` while the block runs, or until the process ends; BadInput if somebody does.

    who: what holds it then, for the message. A file system without locks is taken for free.
    """
    path = written.with_name(f".{written.name}.lock")
    lock = filelock.FileLock(path, timeout=0)
    with cannot_write(written):
        written.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # a lock that may not be written would look like one that is held
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
            path.unlink()  # while it is held: who has it open then sees that it is no file any more
        lock.release()
