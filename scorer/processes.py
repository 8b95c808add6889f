"""Processes that end with the one that started them, and threads that let others go first."""

import ctypes
import os
import signal
import sys
import threading

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_NICE = 10


def end_with_parent() -> None:
    """In a child, on Linux: when its parent is killed it is killed, too, and nobody writes twice.

    As preexec_fn of a process, where no threads are left in it to deadlock.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def yield_to_others() -> None:
    """On Linux, this thread and those that it starts get a core only where no others want it."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
