"""The Dask runner on a scheduler and workers that others started: two, one of which has a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import distributed
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from borderline.commands.run import sentence_of
from borderline.datasets import JSONDataset
from borderline.errors import BorderlineError
from borderline.runners import DaskRunner
from runners import plain_nodes

# The scheduler and the workers read the nodes of the tests.
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the scheduler, once both workers are there."""
    folder = tmp_path_factory.mktemp("cluster")
    # A worker's death counts at once; Dask's default would be the fourth.
    environment = ENVIRONMENT | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    file = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    processes = [start("scheduler", *options)]
    common = ("worker", "--scheduler-file", str(file), "--nthreads", "1", "--name")
    processes += [start(*common, "plain"), start(*common, "fast", "--resources", "GPU=1")]
    try:
        with distributed.Client(scheduler_file=str(file), timeout=300) as client:
            client.wait_for_workers(2, timeout=300)
            address = client.scheduler.address
        yield address
    finally:
        for process in processes:
            process.kill()  # what they started ends with them
            process.wait()


def drive(folder: Path, nodes: list[Node], runner: DaskRunner, **changed: object) -> DataCatalog:
    """Run nodes whose outputs are files, from a number and the address of a file."""
    pipeline = Pipeline(nodes)
    files = {
        name: JSONDataset(filepath=str(folder / f"{name}.json")) for name in pipeline.all_outputs()
    }
    given = {"params:number": MemoryDataset(1), "params:marker": MemoryDataset(str(folder / "m"))}
    catalog = DataCatalog({**files, **given, **changed})  # type: ignore[arg-type]
    runner.run(pipeline, catalog, _create_hook_manager())
    return catalog


def test_node_that_trains_goes_where_its_resource_is(scheduler: str, tmp_path: Path) -> None:
    runner = DaskRunner(scheduler=scheduler, resources={"GPU": 1})
    nodes = [
        Node(plain_nodes.train, "params:number", f"place_{i}", name=f"cnn.train_{i}")
        for i in range(4)
    ]
    catalog = drive(tmp_path, nodes, runner)
    assert [catalog.load(f"place_{i}") for i in range(4)] == ["fast"] * 4


def test_error_of_a_node_keeps_its_sentence(
    scheduler: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = [
        Node(plain_nodes.one_more, "params:number", "two", name="first"),
        Node(plain_nodes.fails, "two", "three", name="second"),
    ]
    with pytest.raises(RuntimeError, match="wrapped") as caught:
        drive(tmp_path, nodes, DaskRunner(scheduler=scheduler))
    assert sentence_of(caught.value) == "alpha is 3, but it must be 4: correct it."
    assert '--from-nodes "second"' in caplog.text
    assert "second failed: wrapped" in caplog.text, "logged on the worker, shown here"


def test_failed_node_runs_again_where_that_is_asked_for(scheduler: str, tmp_path: Path) -> None:
    nodes = [Node(plain_nodes.fails_once, "params:marker", "one", name="once")]
    catalog = drive(tmp_path, nodes, DaskRunner(scheduler=scheduler, retries=1))
    assert catalog.load("one") == 1
    (tmp_path / "m").unlink()
    with pytest.raises(RuntimeError, match="the network is down"):
        drive(tmp_path, nodes, DaskRunner(scheduler=scheduler))


def test_nobody_goes_on_with_a_run_that_has_failed(scheduler: str, tmp_path: Path) -> None:
    nodes = [
        Node(plain_nodes.counts_slowly, "params:number", "count", name="count"),
        Node(plain_nodes.fails_late, "params:counted", "never", name="fail"),
    ]
    counted = tmp_path / "count.json"
    with pytest.raises(BorderlineError, match="beta is 1"):
        drive(
            *(tmp_path, nodes, DaskRunner(scheduler=scheduler)),
            **{"params:counted": MemoryDataset(str(counted))},
        )
    deadline, then = time.monotonic() + 60, ""
    while then != counted.read_text():
        assert time.monotonic() < deadline
        then = counted.read_text()
        time.sleep(1)
    assert json.loads(then) < 599, "it was not left to count to its end"


def test_only_what_is_missing_is_made(
    scheduler: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = [
        Node(plain_nodes.one_more, "params:number", "two", name="first"),
        Node(plain_nodes.one_more, "two", "three", name="second"),
    ]
    JSONDataset(filepath=str(tmp_path / "two.json")).save(5)
    pipeline, runner = Pipeline(nodes), DaskRunner(scheduler=scheduler)
    files = {n: JSONDataset(filepath=str(tmp_path / f"{n}.json")) for n in ("two", "three")}
    catalog = DataCatalog({**files, "params:number": MemoryDataset(1)})
    runner.run(pipeline, catalog, _create_hook_manager(), only_missing_outputs=True)
    assert catalog.load("three") == 6


def test_what_lives_in_memory_is_refused(scheduler: str, tmp_path: Path) -> None:
    nodes = [Node(plain_nodes.one_more, "params:number", "two", name="first")]
    with pytest.raises(BorderlineError, match=r"two lives in the memory of one process.*catalog"):
        drive(tmp_path, nodes, DaskRunner(scheduler=scheduler), two=MemoryDataset())


def test_resource_that_no_worker_offers_is_said(scheduler: str) -> None:
    with pytest.raises(BorderlineError, match=r"resources.TPU is 1, .*--resources TPU=1"):
        DaskRunner(scheduler=scheduler, resources={"TPU": 1})


def test_node_that_no_worker_survives_is_said(scheduler: str, tmp_path: Path) -> None:
    nodes = [Node(plain_nodes.dies, "params:number", "never", name="cnn.heavy")]
    with pytest.raises(BorderlineError, match=r"cnn.heavy was lost .* 1 times, .*memory_limit"):
        drive(tmp_path, nodes, DaskRunner(scheduler=scheduler))


def test_lost_scheduler_is_said(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    command = [sys.executable, "-m", "dask", "scheduler", *options, "--scheduler-file", str(file)]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as scheduler:
        try:
            with distributed.Client(scheduler_file=str(file), timeout=300) as client:
                address = client.scheduler.address
            # It has no worker, so the node waits.
            nodes = [Node(plain_nodes.one_more, "params:number", "more", name="more")]
            timer = threading.Timer(2, scheduler.kill)
            timer.start()
            with (
                dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
                pytest.raises(BorderlineError, match=f"scheduler {address} was lost: start it"),
            ):
                drive(tmp_path, nodes, DaskRunner(scheduler=address))
            timer.join()
        finally:
            scheduler.kill()
