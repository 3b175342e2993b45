"""The number of threads of a process: several processes with all cores each would wait for cores.

The last bits of a result depend on that number, so it is always set.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

VARIABLE = "OMP_NUM_THREADS"
"""The environment variable for this number; PyTorch, NumPy and the other libraries read it."""


def compute_with(threads: int) -> None:
    """Let this process, and the processes that it starts, compute with that many threads."""
    import torch
    from threadpoolctl import threadpool_limits

    os.environ[VARIABLE] = str(threads)
    # PyTorch keeps this number for each thread that computes, so it is set where the node runs.
    torch.set_num_threads(threads)
    threadpool_limits(threads)


# Each thread keeps its own intermediate arrays, so many threads would need much memory.
_MOST_SIDE_BY_SIDE = 4


def threads_of_node() -> int:
    """The threads for independent calls side by side: those of the node, but not many."""
    import torch

    return min(torch.get_num_threads(), _MOST_SIDE_BY_SIDE)


def side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Result, None, None]:
    """The results of a function in the order of its items, computed in several threads.

    Each call computes with one thread of the libraries, so the number of threads changes no bit of
    a result. It gains time where the function releases the interpreter's lock, as NumPy and
    scikit-learn do. Where the caller closes the results early, calls that have not begun are left
    out. Warnings of threads are not shown.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        if threads == 1:
            yield from map(function, items)
            return
        # The limit of OpenMP counts for the thread that sets it.
        pool = ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,))
        # Threads share the filters of warnings, which one would set back for the others.
        with warnings.catch_warnings(), pool:
            warnings.simplefilter("ignore")
            yield from pool.map(function, items)
