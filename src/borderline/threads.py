"""The number of threads of a process: several processes with all cores each would wait for cores.

The last bits of a result depend on that number, so it is always set.
"""

from __future__ import annotations

import multiprocessing
import os

VARIABLE = "OMP_NUM_THREADS"
"""The environment variable for this number; PyTorch, NumPy and the other libraries read it."""


def compute_with(threads: int) -> None:
    """Let this process, and the processes that it starts, compute with that many threads.

    Args:
        threads: At least 1.
    """
    import torch
    from threadpoolctl import threadpool_limits

    os.environ[VARIABLE] = str(threads)
    # PyTorch keeps this number for each thread that computes, so it is set where the node runs.
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def prepare_pool() -> None:
    """Let each process of Kedro's pool compute with one thread, or as ``OMP_NUM_THREADS`` says.

    The environment is the only way to reach a spawned process: Kedro calls no hooks of the project
    in it.
    """
    os.environ.setdefault(VARIABLE, "1")


def is_one_of_several() -> bool:
    """Whether another process started this one to share the work."""
    return multiprocessing.parent_process() is not None


def keep_to_share() -> None:
    """Let a process of a pool compute with its share of the threads.

    A forked process that used more than one thread would wait for ever for its parent's threads,
    which it does not have.
    """
    if is_one_of_several():
        compute_with(int(os.environ.get(VARIABLE, "1")))
