"""How many threads PyTorch computes in, so that it gets on with what else the machine does."""

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
    """How many cores have nothing to do at the moment; at least one of them is ours.

    Threads of PyTorch wait for each other after every operator: one that shares its core with other
    work holds up all of them.
    """
    busy = psutil.cpu_percent(interval=_LOOK_S) / 100
    return max(1, int(cores() * (1 - busy) + 0.5))
