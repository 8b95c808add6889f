"""Runs a ranking during which all failures of a long run happen."""

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from killing import KINDS, killing, started

from scorer.errors import SOME_SKIPPED, CannotWrite

PAUSE = 0.3, 2.0  # range of seconds between two kills


@dataclass
class Disturbance:
    """Failures during a ranking: `gone` vanishes, `cut` is truncated, `kills` processes are killed,
    and the disk of the parts has `room` bytes until it was full.

    Needs the right to mount a file system in memory.
    """

    gone: Path
    cut: Path
    kills: int
    room: int

    def happen(self, commands: Sequence[Sequence[str]], folder: Path, disk: Path) -> dict[str, Any]:
        """Run the commands in turn in a folder, until one succeeds that has seen the final state of
        the pool.
        """
        codes: list[int] = []
        with small_disk(disk, self.room) as enlarge, killing(self.kills, KINDS, PAUSE) as killed:
            images = threading.Timer(PAUSE[1], self._spoil_images)
            images.start()
            for command in cycle(commands):
                spoiled = not images.is_alive()
                done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
                codes.append(done.returncode)
                if done.returncode == CannotWrite.exit_code:
                    enlarge()
                elif spoiled and done.returncode in {0, SOME_SKIPPED}:
                    break
            return {
                "killed": dict(Counter(killed)), "commands": len(codes),
                "disk full": codes.count(CannotWrite.exit_code), "still running": len(started()),
                "parts": {one.name: one.read_bytes() for one in (disk / "parts").iterdir()},
            }  # fmt: skip

    def _spoil_images(self) -> None:
        self.gone.unlink()
        os.truncate(self.cut, self.cut.stat().st_size // 2)


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """A file system of `size` bytes in memory; the yielded function enlarges it."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield lambda: _mount_again(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _mount_again(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=1G", place], check=True)
