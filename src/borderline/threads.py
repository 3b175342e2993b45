"""The number of threads of a process: several processes with all cores each would wait for cores.

The last bits of a result depend on that number, so it is always set.
"""

from __future__ import annotations

import os

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
