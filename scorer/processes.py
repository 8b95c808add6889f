"""Processes that end with the one that started them."""

import ctypes
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def end_with_parent() -> None:
    """In a child, on Linux: when its parent is killed it is killed, too, and nobody writes twice.

    As preexec_fn of a process, where no threads are left in it to deadlock.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
