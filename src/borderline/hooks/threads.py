"""Keeps the number of threads, on which the last bits of results depend."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl

from borderline import threads


class ThreadHooks:
    """Keeps the number of threads, on which the last bits of results depend."""

    def __init__(self) -> None:
        self._threads: int | None = None

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Set the number of threads of the processes that a runner will start."""
        self._threads = None
        if "ParallelRunner" in run_params["runner"]:
            threads.prepare_pool()

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        """Set the number of threads: the share of a process of a pool, else that of the first node.

        UMAP raises the number for the whole process, so it is set before every node.
        """
        import torch

        if threads.is_one_of_several():
            threads.keep_to_share()
            return
        self._threads = self._threads or torch.get_num_threads()
        torch.set_num_threads(self._threads)
