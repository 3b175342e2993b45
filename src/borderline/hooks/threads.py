"""Keeps the number of threads, on which the last bits of results depend."""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from typing import Any

from kedro.framework.hooks import hook_impl

from borderline.printing import guard_displays
from borderline.threads import VARIABLE, compute_with


class ThreadHooks:
    """Keeps the number of threads, on which the last bits of results depend."""

    def __init__(self) -> None:
        self._threads: int | None = None

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Let each process of a pool compute with one thread, or as ``OMP_NUM_THREADS`` says."""
        self._threads = None
        if "ParallelRunner" in run_params["runner"]:
            # Kedro calls none of these hooks in a spawned process, which inherits the environment.
            os.environ.setdefault(VARIABLE, "1")

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Set the number of threads: the share of a process of a pool, else that of the first node.

        UMAP raises the number for the whole process, so it is set before every node.
        """
        import torch

        # A forked process with more threads would wait for ever for those of its parent.
        if multiprocessing.parent_process() is not None:
            guard_displays()
            _end_with_parent()
            compute_with(int(os.environ.get(VARIABLE, "1")))
            return
        self._threads = self._threads or torch.get_num_threads()
        torch.set_num_threads(self._threads)


@functools.cache
def _end_with_parent() -> None:
    """End this process of a pool with the run, also if the run is killed.

    Otherwise it would save results after the lock of the run is free.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
