"""Chooses the number of threads that PyTorch computes in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from scorer.console import cores

_LOOK_S = 0.3


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set the number of PyTorch's threads within a block, including Python threads started
    there.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def idle() -> int:
    """Number of this process's idle cores, at least 1 and at most PyTorch's current number of
    threads; OMP_NUM_THREADS takes precedence.

    PyTorch's threads wait for each other after every operator, so that one on a busy core delays
    all.
    """
    if (number := os.environ.get("OMP_NUM_THREADS", "")).isdecimal() and int(number):
        return int(number)
    every = psutil.cpu_percent(interval=_LOOK_S, percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(every))
    free = sum(1 - every[core] / 100 for core in mine if core < len(every))
    return min(cores(), torch.get_num_threads(), max(1, int(free + 0.5)))
