"""How many threads a process computes with: as many processes with all cores each would only wait.

The last bits of a result depend on that number, so it is set, never left to chance.
"""

from __future__ import annotations

import multiprocessing
import os

import torch
from threadpoolctl import threadpool_limits

VARIABLE = "OMP_NUM_THREADS"
"""What sets it from outside; every library that we compute with takes it."""


def compute_with(threads: int) -> None:
    """Let this process compute with that many threads, from now on.

    Args:
        threads: At least 1.
    """
    # PyTorch's is one for each thread that computes, so it is set where the node runs.
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def keep_to_one_in_a_pool() -> None:
    """Let a process of a pool compute with one thread, unless ``OMP_NUM_THREADS`` says otherwise.

    A pool has as many processes as cores. And a forked process that asks for more than one thread
    would wait for ever for those of its parent, which it does not have.
    """
    if multiprocessing.parent_process() is not None and VARIABLE not in os.environ:
        compute_with(1)
