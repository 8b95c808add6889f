"""One service per label store: a second would ask people for what the first has asked already."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from scorer.errors import BadInput
from scorer.files import cannot_write


@contextmanager
def instance_lock(labels: Path) -> Iterator[None]:
    """Hold a store while the block runs, until the process ends; BadInput if somebody else does."""
    path = labels.with_name(f"{labels.name}-serving")
    lock = filelock.FileLock(path, timeout=0)
    with cannot_write(labels):
        labels.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise BadInput(
                f"{labels} is in use by another scorer serve",
                remedy="several annotators can use that service at once: each opens its "
                "address in a browser",
            ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who has it open then sees that it is no file any more
        lock.release()
