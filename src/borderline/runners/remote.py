"""Runs nodes in a worker: one at a time, with the project's hooks."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distributed import get_worker
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import (
    _create_hook_manager,
    _register_hooks,
    _register_hooks_entry_points,
)
from kedro.framework.project import configure_project, settings
from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from kedro.runner.task import Task
from pluggy import PluginManager

from borderline.threads import compute_with

logger = logging.getLogger(__name__)
# Libraries keep seeds and numbers of threads for the whole process.
_one_at_a_time = threading.Lock()


class GivenUp(Exception):
    """The run has ended without this node."""


def run_node(
    *,
    node: Node,
    catalog: DataCatalog,
    run_id: str | None,
    package: str,
    threads: int | None,
    topic: str,
    levels: Mapping[str, int],
) -> tuple[Node, float]:
    """Run a node as Kedro's sequential runner does; its results go to the catalog.

    Args:
        node: The node.
        catalog: Its datasets.
        run_id: Kedro's name of the run.
        package: The project's package.
        threads: The number of threads; None keeps the worker's own number.
        topic: The topic of the worker's log messages.
        levels: The level of each logger.

    Returns:
        The node, and the seconds that it took.
    """
    with _one_at_a_time:
        # Making Kedro's hooks changes the logging, so it comes before our own setup.
        hooks = _hooks(package)
        with _forwarded(topic, levels):
            if threads is not None:
                compute_with(threads)
            # Hooks that wait for a catalog get the node's datasets.
            hooks.hook.after_catalog_created(
                catalog=catalog,
                conf_catalog={},
                conf_creds={},
                parameters={},
                save_version=run_id,
                load_versions=None,
            )
            logger.info("%s begins on %s (process %d).", node.name, get_worker().name, os.getpid())
            started = time.monotonic()
            try:
                task = Task(node, catalog, is_async=False, hook_manager=hooks, run_id=run_id)
                return task.execute(), time.monotonic() - started
            except GivenUp:
                raise
            except Exception as error:
                logger.warning("%s failed: %s", node.name, error)
                raise


def leave_at_once() -> None:
    """Let this worker end silently and at once, without Python's cleanup."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    atexit.register(os._exit, 0)


class _Watch:
    """Ends a node between two of its results if the run has cancelled it."""

    @hook_impl
    def before_dataset_saved(self, node: Node) -> None:
        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
        if task is None or task.state == "cancelled":
            raise GivenUp(node.name)


class _Forward(logging.Handler):
    """Sends log messages to the process of the run."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic, self._worker = topic, get_worker()

    def emit(self, record: logging.LogRecord) -> None:
        message: Any = {"name": record.name, "level": record.levelno, "text": self.format(record)}
        self._worker.log_event(self._topic, message)


@contextmanager
def _forwarded(topic: str, levels: Mapping[str, int]) -> Iterator[None]:
    """Send log messages to the run and nowhere else."""
    for name, level in levels.items():
        logging.getLogger(name or None).setLevel(level)
    root = logging.getLogger()
    root.handlers = [_Forward(topic)]
    try:
        yield
    finally:
        root.handlers = []


@functools.cache
def _hooks(package: str) -> PluginManager:
    """The project's hooks, made once per process."""
    configure_project(package)
    manager = _create_hook_manager()
    manager.register(_Watch())
    _register_hooks(manager, settings.HOOKS)
    _register_hooks_entry_points(manager, settings.DISABLE_HOOKS_FOR_PLUGINS)
    return manager
