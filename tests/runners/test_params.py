"""What ``--runner-params`` may say, and what is refused with a sentence before anything runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from borderline.commands.run import run as run_command
from borderline.datasets import StudyStorage
from borderline.errors import BorderlineError
from borderline.runners import DaskRunner, dask_runner
from borderline.runners.dask_runner import check_shareable, node_of
from borderline.runners.params import read_params
from conftest import start_kedro
from runners.plain_nodes import one_more


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max_wokers": 2}, "max_wokers is no setting of DaskRunner .did you mean 'max_workers'"),
        ({"max_workers": 0}, "max_workers is 0, but it must be greater than or equal to 1"),
        ({"threads": "many"}, "threads is 'many', but it must be a valid integer"),
        ({"scheduler": "host:8786"}, "scheduler is 'host:8786', but"),
        ({"memory_limit": "much"}, "memory_limit is 'much', but it must be 'auto', or bytes"),
        ({"min_workers": 3, "max_workers": 2}, "min_workers 3 is more than 2 workers"),
        ({"scheduler": "tcp://h:1", "max_workers": 2}, "max_workers is for workers on this machin"),
        ({"is_async": True}, "is_async is True"),
    ],
)
def test_bad_params_are_one_sentence(params: dict[str, object], words: str) -> None:
    with pytest.raises(BorderlineError, match=words) as error:
        DaskRunner(**params)  # type: ignore[arg-type]
    assert str(error.value).endswith(".")


def test_workers_share_the_cores_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (read_params({}).workers, read_params({}).threads_here) == (8, 1)
    assert read_params({"max_workers": 2}).threads_here == 4
    assert read_params({"max_workers": 2, "threads": 3}).threads_here == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert read_params({"max_workers": 2}).threads_here == 2


def test_scheduler_that_does_not_answer_is_said_before_anything(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(dask_runner, "_SECONDS_TO_CONNECT", 1)
    start_kedro()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        command = ["--env", "test", "--runner", "borderline.runners.DaskRunner", "--runner-params"]
        result = CliRunner().invoke(run_command, [*command, f"scheduler={address}"])
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert f"scheduler is '{address}', but no scheduler answers there" in errors[0]
    assert not (project / "data").exists()


def test_file_of_studies_is_for_one_machine(tmp_path: Path) -> None:
    node = Node(len, "study_storage", "result", name="search")
    file = StudyStorage(filepath=str(tmp_path / "studies.sqlite"))
    database = StudyStorage(filepath="unused", url="postgresql://host/name")
    result = StudyStorage(filepath=str(tmp_path / "any.sqlite"), url="postgresql://host/name")
    for storage, several, refused in (
        (file, True, True),
        (file, False, False),
        (database, True, False),
        (StudyStorage(filepath="s3://bucket/studies.sqlite"), True, False),
    ):
        catalog = DataCatalog({"study_storage": storage, "result": result})
        if refused:
            with pytest.raises(BorderlineError, match="study_storage is an SQLite file"):
                check_shareable(Pipeline([node]), catalog, several_machines=several)
        else:
            check_shareable(Pipeline([node]), catalog, several_machines=several)


def test_dataset_of_one_process_and_one_that_cannot_be_sent_are_refused(tmp_path: Path) -> None:
    class OneProcess(StudyStorage):
        _SINGLE_PROCESS = True

    class Unsendable(StudyStorage):
        def __reduce__(self) -> str:
            raise TypeError("it holds a lock")

    node = Node(len, "given", "result", name="node")
    result = StudyStorage(filepath=str(tmp_path / "s"))
    for dataset, words in (
        (OneProcess(filepath=str(tmp_path / "s")), "given is a OneProcess, which is for one"),
        (Unsendable(filepath=str(tmp_path / "s")), "given is a Unsendable.*it holds a lock"),
        (MemoryDataset(1), "given lives in the memory"),
    ):
        catalog = DataCatalog({"given": dataset, "result": result})
        with pytest.raises(BorderlineError, match=words):
            check_shareable(Pipeline([node]), catalog, several_machines=False)


def test_future_of_a_node_ends_as_that_of_its_worker_does() -> None:
    """The run would wait for ever if it did not end."""
    node, seconds = Node(one_more, "number", "more", name="more"), dict[str, float]()

    def ended(end: Callable[[Future[Any]], object]) -> Future[Node]:
        timed: Future[Any] = Future()
        future = node_of(timed, seconds)
        end(timed)
        assert wait([future], timeout=5).done == {future}
        return future

    assert ended(lambda timed: timed.set_result((node, 1.5))).result() == node
    assert seconds == {"more": 1.5}
    with pytest.raises(ZeroDivisionError):
        ended(lambda timed: timed.set_exception(ZeroDivisionError())).result()
    # A worker that still has the code of an earlier version.
    with pytest.raises(TypeError):
        ended(lambda timed: timed.set_result(node)).result()
    # Dask does this when it has lost the scheduler.
    assert ended(lambda timed: timed.cancel()).cancelled()
