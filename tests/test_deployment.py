"""Airflow: the DAG that Kedro's plugin writes is the pipeline, and drives the same road.

Its tasks keep their results in a bucket, as on several machines.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import s3fs
import torch
import yaml
from click.testing import CliRunner
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline
from kedro_airflow.plugin import commands

from borderline.errors import BorderlineError
from conftest import assert_same_tables, cut_short, reporting_folder

FOLDER = "bucket/results"


@dataclass
class Task:
    """What Airflow knows of a task: what it does, and what comes before."""

    task_id: str
    work: Callable[[], None]
    before: set[str] = field(default_factory=set)

    def __rshift__(self, other: Task) -> Task:
        other.before.add(self.task_id)
        return other


@dataclass
class Dag:
    """A DAG as its file declares it, and what its tasks asked Kedro to run."""

    settings: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)

    def in_order(self) -> list[Task]:
        order = TopologicalSorter({task.task_id: task.before for task in self.tasks.values()})
        return [self.tasks[name] for name in order.static_order()]


def read_dag(path: Path) -> Dag:
    """Execute a DAG's file with the two names that it takes from ``airflow.sdk``.

    Airflow itself, some 300 MB of packages in a process of its own, would tell no more here: the
    file declares functions and edges. docs/deployment.md says with which version it was tried.
    """
    read = Dag()

    def task(*, task_id: str) -> Callable[[Callable[[], None]], Callable[[], Task]]:
        def declare(work: Callable[[], None]) -> Callable[[], Task]:
            def instance() -> Task:
                assert task_id not in read.tasks
                return read.tasks.setdefault(task_id, Task(task_id, work))

            return instance

        return declare

    def dag(**settings: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
        read.settings = settings
        return lambda declare: declare

    sdk = ModuleType("airflow.sdk")
    sdk.dag, sdk.task = dag, task  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "airflow", ModuleType("airflow"))
        patch.setitem(sys.modules, "airflow.sdk", sdk)
        runpy.run_path(str(path))
    return read


def create_dag(project: Path, environment: str, *options: str) -> Path:
    """``kedro airflow create``, and the file that it wrote."""
    arguments = ["airflow", "create", "--env", environment, *options]
    result = CliRunner().invoke(commands, arguments, obj=bootstrap_project(project))
    assert result.exit_code == 0, result.output
    (path,) = (project / "airflow_dags").glob("*_dag.py")
    return path


def listen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What tasks ask Kedro to run from now on, which is not run."""
    calls: list[dict[str, Any]] = []

    class Session(nullcontext[Any]):
        def __enter__(self) -> Session:
            return self

        def run(self, **arguments: Any) -> None:
            calls.append(arguments)

    monkeypatch.setattr("kedro.framework.project.configure_project", lambda _: None)
    monkeypatch.setattr(KedroSession, "create", lambda **_: Session())
    return calls


def names_in(road: Pipeline, *namespaces: str) -> list[str]:
    return [node.name for node in road.only_nodes_with_namespaces(list(namespaces)).nodes]


@pytest.mark.parametrize(
    ("environment", "grouping"),
    [
        ("base", []),
        ("base", ["--group-by", "memory"]),
        ("test", ["--group-by", "namespace"]),
        ("fashion_3v0", ["--group-by", "namespace"]),
    ],
)
def test_tasks_and_edges_are_those_of_the_pipeline(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    grouping: list[str],
) -> None:
    monkeypatch.chdir(project)
    path = create_dag(project, environment, *grouping)
    road, stages = pipelines["__default__"], dict(pipelines)
    asked = listen(monkeypatch)
    dag = read_dag(path)
    home: dict[str, str] = {}
    for task in dag.in_order():
        task.work()
        call = asked[-1]
        assert call.pop("pipeline_names") == ["__default__"]
        part = call.get("node_names") or names_in(road, *call["namespaces"])
        assert not home.keys() & set(part), "no node runs twice"
        home |= dict.fromkeys(part, task.task_id)
    assert home.keys() == {node.name for node in road.nodes}
    edges = {
        (home[parent.name], home[child.name])
        for child, parents in road.node_dependencies.items()
        for parent in parents
    }
    declared = {(name, task.task_id) for task in dag.tasks.values() for name in task.before}
    assert declared == {edge for edge in edges if edge[0] != edge[1]}
    assert dag.settings["max_active_runs"] == 1
    if "namespace" in grouping:
        models = {home[node.name] for node in stages["clustering"].nodes}
        shared = {"classifier", "gasten", "metrics", "report"}
        assert dag.tasks.keys() == shared | models


@pytest.mark.road
def test_tasks_one_after_the_other_leave_the_tables_of_a_plain_run(
    short: Path,
    project: Path,
    endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bucket = keep_results_in_a_bucket(cut_short(project), endpoint, monkeypatch)
    monkeypatch.chdir(project)
    dag = read_dag(create_dag(project, "test", "--group-by", "namespace"))
    model = dag.tasks["cnn-1"]
    with pytest.raises(BorderlineError, match=r"needs .* not there yet"):
        model.work()
    threads = torch.get_num_threads()
    for task in dag.in_order():
        if task is model:
            assert_refuses_other_settings(task, project)
        task.work()
        # Tasks are processes of their own to Airflow, and UMAP changes the number in this one.
        torch.set_num_threads(threads)
    assert not (project / "data").exists(), "nothing is left on this machine"
    folder = f"{FOLDER}/08_reporting/{reporting_folder(short).name}"
    assert f"s3://{folder}/report.html" in capsys.readouterr().out.replace("\n", "")
    bucket.invalidate_cache()
    names = [path.rpartition("/")[2] for path in bucket.find(FOLDER)]
    assert {"epoch_0003.pt", "studies.journal"} <= set(names)
    assert not [name for name in names if name.startswith(".")], "nothing is left half-written"
    # The same tables on both sides.
    bucket.get(folder, str(tmp_path / "reporting"), recursive=True)
    assert_same_tables(reporting_folder(short), tmp_path / "reporting", least=35)
    assert_same_tables(tmp_path / "reporting", reporting_folder(short), least=35)
    assert_every_node_is_entered(project)


def keep_results_in_a_bucket(
    project: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> s3fs.S3FileSystem:
    """Let a project keep its results in a bucket, whose key is in ``conf/local`` only."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    login = {"key": "key", "secret": "secret", "client_kwargs": {"endpoint_url": endpoint}}
    (project / "conf/local/credentials.yml").write_text(yaml.safe_dump({"results": login}))
    path = project / "conf/test/globals.yml"
    entries = {"data_folder": f"s3://{FOLDER}", "credentials": "results"}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | entries))
    bucket = s3fs.S3FileSystem(**login, skip_instance_cache=True)
    bucket.mkdir(FOLDER.partition("/")[0])
    return bucket


def assert_refuses_other_settings(task: Task, project: Path) -> None:
    path = project / "conf/test/parameters.yml"
    settings = path.read_text()
    path.write_text(yaml.safe_dump(yaml.safe_load(settings) | {"judge": {"epochs": 2}}))
    with pytest.raises(BorderlineError, match=r"judge\.epochs is 2, but classifier"):
        task.work()
    path.write_text(settings)


def assert_every_node_is_entered(project: Path) -> None:
    with KedroSession.create(project, env="test") as session:
        entries = session.load_context().catalog.load("ledger")
    road: Pipeline = pipelines["__default__"]
    assert entries.keys() == {"source", *(node.name for node in road.nodes)}
    assert all(load() for load in entries.values())
