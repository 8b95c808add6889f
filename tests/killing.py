"""Kills processes at random moments, as power cuts and cluster managers do."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def killing(
    times: int, who: Callable[[], Sequence[int]], pause: tuple[float, float]
) -> Iterator[list[int]]:
    """While the block runs, kill one of `who()` so many times, after a pause of some seconds each;
    gives whom.
    """
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        dice = random.Random(0)  # of nothing secret
        while len(killed) < times and not over.wait(dice.uniform(*pause)):
            if victims := who():
                victim = dice.choice(victims)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def below(parent: int) -> Iterator[int]:
    """All living processes below one, by number."""
    for path in Path("/proc").iterdir():
        try:
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            yield int(path.name)
            yield from below(int(path.name))


def named(pid: int) -> str:
    """The command line of a process; of one that is gone, nothing."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
