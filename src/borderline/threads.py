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
    """Let this process compute with that many threads, from now on, and those that it starts.

    Args:
        threads: At least 1.
    """
    os.environ[VARIABLE] = str(threads)
    # PyTorch's is one for each thread that computes, so it is set where the node runs.
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def prepare_pool() -> None:
    """Let the processes that Kedro's pool will start have a thread each.

    ``OMP_NUM_THREADS`` says how many where it is set. A spawned process can only be told so: Kedro
    calls no hooks of the project in it.
    """
    os.environ.setdefault(VARIABLE, "1")


def is_one_of_several() -> bool:
    """Whether this process was started to share the work."""
    return multiprocessing.parent_process() is not None


def keep_to_share() -> None:
    """Let a process of a pool compute with its share of the threads.

    A forked process that asked for more than one would wait for ever for those of its parent,
    which it does not have.
    """
    if is_one_of_several():
        compute_with(int(os.environ.get(VARIABLE, "1")))
