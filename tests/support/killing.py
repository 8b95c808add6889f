"""Kills processes of the scorer at random moments, as power cuts and cluster managers do."""

import os
import random
import signal
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Kinds of processes, by a text in their command line.
KINDS = {"driver": "-m scorer", "worker": "spawn_main", "actor": "MapWorker"}
# share of just started drivers that are spared: otherwise no other process would ever exist
SPARED = 0.95


@contextmanager
def killing(times: int, kinds: Collection[str], pause: tuple[float, float]) -> Iterator[list[str]]:
    """While the block runs, kill `times` processes that it started, after random pauses; yields the
    list of their kinds. The kind is drawn first, then a process of it.
    """
    killed: list[str] = []
    over = threading.Event()

    def kill() -> None:
        dice = random.Random(0)  # needs no secure randomness
        while len(killed) < times and not over.wait(dice.uniform(*pause)):
            alive = {pid: kind for pid, kind in started().items() if kind in kinds}
            alone = set(alive.values()) == {"driver"}
            if alive and not (alone and dice.random() < SPARED):
                kind = dice.choice(sorted(set(alive.values())))
                victim = dice.choice([pid for pid in alive if alive[pid] == kind])
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed.append(kind)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def started() -> Mapping[int, str]:
    """The living processes of the scorer below this one, with their kinds."""
    named = ((pid, _command_line(pid)) for pid in _below(os.getpid()))
    return {pid: kind for pid, line in named for kind, words in KINDS.items() if words in line}


def _below(parent: int) -> Iterator[int]:
    for path in Path("/proc").iterdir():
        try:
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            yield int(path.name)
            yield from _below(int(path.name))


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
