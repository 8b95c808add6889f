"""How many threads PyTorch computes in, so that it gets on with what else the machine does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from scorer.console import cores

_LOOK_S = 0.3


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch computes in so many threads within the block, also in threads that begin in it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def idle() -> int:
    """How many of this process's cores have nothing to do at the moment; at least one of them is
    ours. OMP_NUM_THREADS, where somebody has set it, is stronger; never more than PyTorch has now.

    Threads of PyTorch wait for each other after every operator: one that shares its core with other
    work holds up all of them.
    """
    if (number := os.environ.get("OMP_NUM_THREADS", "")).isdecimal() and int(number):
        return int(number)
    every = psutil.cpu_percent(interval=_LOOK_S, percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(every))
    free = sum(1 - every[core] / 100 for core in mine if core < len(every))
    return min(cores(), torch.get_num_threads(), max(1, int(free + 0.5)))
