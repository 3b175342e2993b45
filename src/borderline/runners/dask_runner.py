"""Runs Kedro's nodes on Dask workers, on this machine or on several."""

from __future__ import annotations

import logging
import pickle
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from kedro.framework import project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from borderline.errors import BorderlineError
from borderline.runners.params import DaskParams, read_params
from borderline.streaming import stream_of
from borderline.threads import VARIABLE

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

logger = logging.getLogger(__name__)
_SECONDS_TO_CONNECT = 15
_THE_END: dict[str, Any] = {}
# Libraries read these when they are loaded.
_THREADS = (VARIABLE, "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class DaskRunner(AbstractRunner):
    """Runs each node on a worker, as soon as its inputs are there.

    A worker loads and saves a node's datasets itself, so results never pass through the scheduler.
    If a worker dies, its node runs again on another one; a training continues from its checkpoints.

    Raises:
        BorderlineError: When a setting is misspelt or impossible, or no scheduler answers.
    """

    def __init__(self, is_async: bool = False, **params: Any) -> None:
        super().__init__(is_async=False)
        if is_async:
            raise BorderlineError(
                "is_async is True, but a training saves while it runs, which Kedro cannot do "
                "asynchronously: leave it out."
            )
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise BorderlineError(
                "DaskRunner needs Dask, which is not installed: pip install 'borderline[dask]'."
            ) from error
        logging.getLogger("distributed").setLevel(logging.WARNING)
        self._params = read_params(params)
        self._machines: set[str] = set()
        self._hooks: PluginManager | None = None
        self._seconds = dict[str, float]()
        if self._params.scheduler:
            with self._connect(distributed.Client) as client:
                self._machines = self._check_workers(client)

    def _run(
        self,
        pipeline: Pipeline,
        catalog: DataCatalog,  # type: ignore[override]
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        self._hooks = hook_manager
        check_shareable(pipeline, catalog, several_machines=len(self._machines) > 1)
        from distributed import KilledWorker

        try:
            super()._run(pipeline, catalog, hook_manager, run_id)
        except KilledWorker as error:
            name = str(error.task).rpartition("-")[0]
            raise BorderlineError(
                f"{name} was lost with its worker {error.allowed_failures + 1} times, probably "
                "because it needs more memory: give each worker more (memory_limit, or fewer "
                "workers), then run again; finished epochs stay."
            ) from error
        except CancelledError as error:
            raise BorderlineError(
                f"The connection to the scheduler {self._params.scheduler or 'of this run'} was "
                "lost: start it again if it has ended, then run again with "
                "--only-missing-outputs; finished nodes and epochs stay."
            ) from error

    def _get_executor(self, max_workers: int) -> Executor:
        from distributed import Client

        if self._params.scheduler:
            return _Workers(self._connect(Client), None, self._params, self._seconds)
        cluster = _workers_here(self._params)
        return _Workers(Client(cluster), cluster, self._params, self._seconds)

    def _release_datasets(  # type: ignore[override]
        self, node: Node, catalog: DataCatalog, *others: Any
    ) -> None:
        """Tell the project's hooks that a node has finished, then do what Kedro does with it."""
        # The worker calls Kedro's own hooks; Kedro has none for the process of the run.
        finished = getattr(self._hooks and self._hooks.hook, "after_node_finished", None)
        if finished is not None:
            finished(node=node, catalog=catalog, seconds=self._seconds[node.name])
        super()._release_datasets(node, catalog, *others)

    def _connect(self, client: Callable[..., Client]) -> Client:
        address = self._params.scheduler
        try:
            return client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise BorderlineError(
                f"scheduler is {address!r}, but no scheduler answers there "
                f"({str(error).splitlines()[0]}): start one with `dask scheduler`, correct the "
                "address in --runner-params, or leave it out for workers on this machine."
            ) from error

    def _check_workers(self, client: Client) -> set[str]:
        """The machines of the workers; empty if there are no workers yet."""
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        for name, amount in self._params.resources.items():
            if workers and all(worker["resources"].get(name, 0) < amount for worker in workers):
                raise BorderlineError(
                    f"resources.{name} is {amount:g}, but no worker of {self._params.scheduler} "
                    f"offers that: start one with `dask worker {self._params.scheduler} "
                    f"--resources {name}={amount:g}`, or lower it."
                )
        return {worker["host"] for worker in workers}


def _workers_here(params: DaskParams) -> LocalCluster:
    """Workers on this machine, one process each."""
    import dask
    from distributed import LocalCluster

    # Dask's default returns memory to the system at once; networks would spend most of their time
    # on allocating it again.
    dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None})
    fewest = params.workers if params.min_workers is None else params.min_workers
    cluster = LocalCluster(
        n_workers=fewest,
        threads_per_worker=1,
        memory_limit=params.memory_limit,
        resources=dict(params.resources),
        dashboard_address=":0",
        env=dict.fromkeys(_THREADS, params.threads_here),
    )
    if fewest < params.workers:
        cluster.adapt(minimum=fewest, maximum=params.workers)
    return cluster


def check_shareable(pipeline: Pipeline, catalog: DataCatalog, *, several_machines: bool) -> None:
    """Check that a worker can load what another one saves."""
    from borderline.datasets import StudyStorage

    for name in sorted(pipeline.datasets()):
        dataset = catalog.get(name)
        if dataset is None or name == "parameters" or name.startswith("params:"):
            continue
        remedy = "save it to a file in conf/base/catalog*.yml, or use --runner SequentialRunner."
        if getattr(dataset, "_EPHEMERAL", False):
            raise BorderlineError(
                f"{name} lives in the memory of one process, which workers do not share: {remedy}"
            )
        if getattr(dataset, "_SINGLE_PROCESS", False):
            raise BorderlineError(
                f"{name} is a {type(dataset).__name__}, which is for one process only: {remedy}"
            )
        if several_machines and isinstance(dataset, StudyStorage) and dataset.is_local_file:
            raise BorderlineError(
                f"{name} is an SQLite file, which several machines cannot share safely: set "
                "study_storage in conf/<env>/globals.yml to the address of a database "
                "(postgresql://...), or data_folder to a bucket."
            )
        try:
            pickle.dumps(dataset)
        except Exception as error:
            raise BorderlineError(
                f"{name} is a {type(dataset).__name__}, which cannot be sent to a worker "
                f"({error}): {remedy}"
            ) from error


class _Workers(Executor):
    """The workers as the pool to which Kedro submits its tasks."""

    def __init__(
        self,
        client: Client,
        cluster: LocalCluster | None,
        params: DaskParams,
        seconds: dict[str, float],
    ) -> None:
        self._client, self._cluster, self._params = client, cluster, params
        self._seconds = seconds
        self._executor = client.get_executor(pure=False, retries=params.retries)
        self._topic = f"borderline-{uuid.uuid4().hex}"
        self._heard_all = threading.Event()
        client.subscribe_topic(self._topic, self._log)

    def submit(self, task: Task, /) -> Future[Node]:  # type: ignore[override]
        """Send a node to a worker; its seconds are known before the future has its result."""
        from borderline.runners.remote import run_node

        catalog = cast(DataCatalog, task.catalog)
        names = {*task.node.inputs, *task.node.outputs}
        run = partial(
            run_node,
            node=task.node,
            catalog=DataCatalog({n: d for n in names if (d := catalog.get(n)) is not None}),
            run_id=task.run_id,
            package=project.PACKAGE_NAME or __package__.partition(".")[0],
            threads=self._params.threads if self._cluster is None else self._params.threads_here,
            topic=self._topic,
            levels=_levels(),
        )
        stream = stream_of(task.node.func)
        timed: Future[tuple[Node, float]] = self._executor.submit(
            run,
            key=f"{task.node.name}-{uuid.uuid4().hex}",
            resources=self._params.resources if stream is not None and stream.trains else None,
        )
        return node_of(timed, self._seconds)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel the nodes that still run, and stop the workers of this run."""
        from borderline.runners.remote import leave_at_once

        self._executor.shutdown(wait=False)
        # The client has closed itself if its scheduler is lost.
        if self._client.status == "running":
            # This message arrives after all messages of the workers.
            self._client.log_event(self._topic, _THE_END)
            self._heard_all.wait(timeout=_SECONDS_TO_CONNECT)
            self._client.unsubscribe_topic(self._topic)
            if self._cluster is not None:
                self._client.run(leave_at_once, on_error="ignore")
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def _log(self, event: tuple[float, dict[str, Any]]) -> None:
        """Log a worker's message."""
        _, message = event
        if message == _THE_END:
            self._heard_all.set()
        else:
            logging.getLogger(message["name"]).log(message["level"], "%s", message["text"])


def node_of(timed: Future[tuple[Node, float]], seconds: dict[str, float]) -> Future[Node]:
    """The future of a node, from the future of the node and its seconds, which go to ``seconds``.

    It also ends when the other one ends with an error or is cancelled. Kedro would wait for ever
    otherwise.
    """
    future: Future[Node] = Future()

    def end(_: Future[tuple[Node, float]]) -> None:
        if timed.cancelled():
            future.cancel()
            # Kedro's wait returns only after this call.
            future.set_running_or_notify_cancel()
            return
        try:
            node, seconds[node.name] = timed.result()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(node)

    timed.add_done_callback(end)
    return future


def _levels() -> dict[str, int]:
    """The level of each logger here; the root's name is empty."""
    levels = {
        name: known.level
        for name, known in logging.root.manager.loggerDict.items()
        if isinstance(known, logging.Logger)
        and known.level
        and name.partition(".")[0] in ("kedro", __package__.partition(".")[0])
    }
    return {"": logging.root.level, **levels}
