"""Ties processes to their parent, and lowers the priority of threads."""

import ctypes
import os
import signal
import sys
import threading

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_NICE = 10


def end_with_parent() -> None:
    """In a child process, on Linux: be killed when the parent dies, so that no file has two
    writers.

    Use it as preexec_fn, when the child has no other threads that could deadlock.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def yield_to_others() -> None:
    """On Linux, run this thread and the threads that it starts with low priority."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
