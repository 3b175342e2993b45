"""The lock of a data folder and case, with processes, hosts and times that the tests make up."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from IPython.core.events import EventManager
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import locks
from borderline.errors import BorderlineError, GateClosed
from borderline.hooks.lock import LockHooks
from borderline.locks import STALE_SECONDS, Lock, Locked, shared_run_id
from borderline.preflight.configuration import Globals
from borderline.processes import Holder, start_of, this_process
from borderline.settings import HOOKS

FS = LocalFileSystem()
STARTS: dict[int, str | None] = {1: "100", 2: "200", 3: None, os.getpid(): start_of(os.getpid())}


def holder(process: int = 1, host: str = "here", **changed: str) -> Holder:
    """A process of a machine; number 1 is in each container, and number 3 has ended."""
    start = {1: "100", 2: "200"}.get(process, "300")
    values = {"key": f"{host}-{process}", "machine": f"boot of {host}", "start": start}
    about = {"since": "2026-01-31 12:00 UTC", "command": "kedro run"}
    return Holder.model_validate(
        {"host": host, "process": process, **about, **values, **changed}, strict=True
    )


@pytest.fixture(autouse=True)
def _processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "start_of", STARTS.get)


@pytest.fixture(params=["folder", "bucket"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Lock]:
    """Makes locks of one case in a folder, or in a bucket."""
    bucket = MemoryFileSystem(skip_instance_cache=True)
    bucket.store, bucket.pseudo_dirs = {}, [""]

    def make(me: Holder | None = None, **options: Any) -> Lock:
        fs, path = (FS, f"{tmp_path}/06/.lock")
        if request.param == "bucket":
            fs, path = (bucket, "/06/.lock")
        options.setdefault("sleep", lambda _: None)
        return Lock(fs, path, "data/06", me=me or holder(), **options)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "06/.lock"


def on_disk(path: Path, me: Holder | None = None, **options: Any) -> Lock:
    options.setdefault("sleep", lambda _: None)
    return Lock(FS, str(path), "data/06", me=me or holder(), **options)


def test_second_run_ends_at_once_and_says_who_is_there(make: Callable[..., Lock]) -> None:
    with make(holder(2, command="kedro run --quick")).held():
        with pytest.raises(Locked) as raised:
            make(holder(1)).acquire()
        for word in ("data/06", "here", "process 2", "since 2026-01-31", "kedro run --quick"):
            assert word in str(raised.value)
        assert "wait for its end" in str(raised.value)
        with pytest.raises(Locked):
            make(holder(1, host="there")).acquire()
    with make(holder(1)).held():
        pass


@pytest.mark.parametrize(
    "dead", [holder(3), holder(2, start="an earlier process")], ids=["ended", "number reused"]
)
def test_stale_lock_is_told_and_taken_over(
    make: Callable[..., Lock], dead: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    make(dead).acquire()
    taken = make(holder(1))
    with taken.held():
        assert "Took over a stale lock: its process has ended (host here" in caplog.text
        taken.beat()
        assert not taken.lost
        with pytest.raises(Locked):
            make(holder(2)).acquire()


def test_process_1_of_another_container_is_not_this_one(path: Path) -> None:
    on_disk(path, holder(1, key="other", machine="other container")).acquire()
    with pytest.raises(Locked):
        on_disk(path, holder(1)).acquire()


def silent(path: Path, seconds: float) -> None:
    """Let the last beat be so long ago."""
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("seconds", [STALE_SECONDS + 9, -9 * STALE_SECONDS])
def test_another_machine_is_judged_by_its_beats_even_if_clocks_jump(
    path: Path, seconds: float
) -> None:
    there, waited = on_disk(path, holder(2, "there")), list[float]()
    there.acquire()
    silent(path, seconds)

    def and_it_beats(pause: float) -> None:
        waited.append(pause)
        there.beat()

    with pytest.raises(Locked):
        on_disk(path, sleep=and_it_beats).acquire()
    assert len(waited) == 1
    assert waited[0] > locks.BEAT_SECONDS
    silent(path, seconds)
    with on_disk(path, sleep=waited.append).held():
        there.beat()
        assert there.lost
    assert len(waited) == 2


def test_of_two_runs_that_see_a_stale_lock_one_takes_it(make: Callable[..., Lock]) -> None:
    make(holder(3)).acquire()
    slow, fast = make(holder(1)), make(holder(2))
    read = slow._read
    found = slow._read()
    fast.acquire()
    views = iter([found])
    # The slow one has read before the fast one wrote.
    slow._read = lambda: next(views, None) or read()  # type: ignore[method-assign]
    with pytest.raises(Locked, match="process 2"):
        slow.acquire()
    fast.beat()
    assert not fast.lost


def test_process_that_died_while_it_changed_the_lock_blocks_nobody(path: Path) -> None:
    on_disk(path, holder(3)).acquire()
    token = json.loads(path.read_text())["token"]
    on_disk(path.with_name(f".lock.{token}"), holder(3, key="died"))._take()
    with on_disk(path).held():
        assert [one.name for one in path.parent.iterdir()] == [".lock"]


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"{}", b'{"token": 1}', b"[" * 5000])
def test_damaged_lock_is_a_sentence_until_it_is_old(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Locked, match=r"\.lock is damaged, .*remove that file"):
        on_disk(path).acquire()
    silent(path, STALE_SECONDS + 9)
    with on_disk(path).held():
        assert json.loads(path.read_text())["holders"][0]["process"] == 1
    assert not path.exists()


def test_what_is_no_file_or_cannot_be_written_is_a_sentence(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(BorderlineError, match="move it away"):
        on_disk(path).acquire()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(BorderlineError, match="move it away"):
        on_disk(path).acquire()
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(BorderlineError, match="cannot be taken"):
        on_disk(path).acquire()
    (path.parent / "file").write_text("")
    with pytest.raises(BorderlineError, match="cannot hold the lock"):
        on_disk(path.parent / "file/.lock").acquire()


def test_tasks_of_one_run_share_the_lock_until_the_last_one_ends(
    make: Callable[..., Lock],
) -> None:
    first, second = make(holder(1), run="dag/7"), make(holder(2, "there"), run="dag/7")
    first.acquire()
    second.acquire()
    first.beat()
    first.release()
    second.beat()
    assert not second.lost
    with pytest.raises(Locked, match="there"):
        make(holder(1), run="dag/8").acquire()
    second.release()
    with make(holder(1), run="dag/8").held():
        pass


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, None),
        ({"AIRFLOW_CTX_DAG_ID": "dag", "AIRFLOW_CTX_DAG_RUN_ID": "manual"}, "dag/manual"),
        ({"BORDERLINE_RUN_ID": "mine", "AIRFLOW_CTX_DAG_RUN_ID": "manual"}, "mine"),
    ],
)
def test_run_of_a_task_is_named_by_its_environment(
    environment: dict[str, str], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("BORDERLINE_RUN_ID", "AIRFLOW_CTX_DAG_ID", "AIRFLOW_CTX_DAG_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert shared_run_id() == name


def test_released_lock_leaves_no_folder_that_it_made(path: Path, tmp_path: Path) -> None:
    with on_disk(path).held():
        pass
    assert list(tmp_path.iterdir()) == []
    with on_disk(path).held():
        (path.parent / "result").touch()
    assert [one.name for one in path.parent.iterdir()] == ["result"]


def test_forked_process_does_not_release(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = on_disk(path)
    lock.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 99)
        lock.release()
    assert path.exists()
    lock.release()
    assert not path.exists()


def test_this_machine_knows_its_processes() -> None:
    me = this_process()
    assert (me.process, me.start) == (os.getpid(), start_of(os.getpid()))
    child = os.fork()
    if child == 0:
        os._exit(0)
    while start_of(child) is not None:  # a zombie counts as ended
        time.sleep(0.001)
    os.waitpid(child, 0)
    assert "\x1b" not in str(holder(command="\x1b[2J"))


ABOUT = {
    "dataset": "digits",
    "source": {"kind": "mnist_sample"},
    "pair": {"positive": 7, "negative": 1},
    "other_run": {"data_folder": None},
}


class Run:
    """The hooks of a run in a folder, without its nodes."""

    def __init__(self, folder: Path, *others: object) -> None:
        ledger = {"type": "partitions.PartitionedDataset", "dataset": "json.JSONDataset"}
        path = str(folder / "06_models/case/ledger")
        self.catalog = DataCatalog.from_config({"ledger": {**ledger, "path": path}})
        self.hooks, self.lock = _create_hook_manager(), folder / "06_models/case/.lock"
        hooks = LockHooks()
        hooks._folder, hooks._elsewhere = str(folder), False
        hooks._about = Globals.model_validate(ABOUT | {"data_folder": str(folder)})
        hooks._project = folder / "project"
        _register_hooks(self.hooks, [hooks, *others])

    def call(self, name: str) -> None:
        getattr(self.hooks.hook, name)(
            error=None,
            run_params={"pipeline_names": None},
            run_result={},
            pipeline=Pipeline([]),
            catalog=self.catalog,
        )


class Probe:
    """A hook that looks for the lock, and may fail."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.fails = fails
        self.run: Run | None = None

    def look(self) -> None:
        assert self.run is not None
        assert self.run.lock.exists()
        if self.fails:
            raise self.fails

    before_pipeline_run = hook_impl(tryfirst=True)(lambda self: self.look())
    after_pipeline_run = hook_impl(trylast=True)(lambda self: self.look())
    on_pipeline_error = hook_impl(lambda self: self.look())


@pytest.mark.parametrize("end", ["after_pipeline_run", "on_pipeline_error"])
def test_lock_encloses_every_other_hook(tmp_path: Path, end: str) -> None:
    probe = Probe()
    run = probe.run = Run(tmp_path, probe)
    run.call("before_pipeline_run")
    with pytest.raises(Locked, match=r"06_models/case is in use"):
        Run(tmp_path).call("before_pipeline_run")
    run.call(end)
    assert not run.lock.exists()


@pytest.mark.parametrize("name", ["before_pipeline_run", "after_pipeline_run"])
@pytest.mark.parametrize("error", [GateClosed("x"), KeyboardInterrupt()])
def test_lock_is_given_back_when_a_hook_fails(
    tmp_path: Path, name: str, error: BaseException
) -> None:
    probe = Probe()
    run = probe.run = Run(tmp_path, probe)
    if name == "after_pipeline_run":
        run.call("before_pipeline_run")
    probe.fails = error
    with pytest.raises(type(error)):
        run.call(name)
    assert not run.lock.exists()


def test_lock_is_given_back_when_the_cell_of_a_notebook_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = EventManager(None, ["post_run_cell"])
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(events=events))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    run = Run(tmp_path)
    run.call("before_pipeline_run")
    assert run.lock.exists()
    events.trigger("post_run_cell", None)
    assert not run.lock.exists()
    assert not events.callbacks["post_run_cell"]


def test_run_that_lost_its_lock_saves_nothing_more(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.call("before_pipeline_run")
    hooks = next(one for one in run.hooks.get_plugins() if isinstance(one, LockHooks))
    assert hooks._lock is not None
    run.lock.unlink()
    hooks._lock.beat()
    saves = [
        hooks.before_dataset_saved,
        # The ledger enters no node that a worker has finished.
        hooks.after_node_finished,
        lambda: run.call("after_pipeline_run"),
    ]
    for save in saves:
        with pytest.raises(BorderlineError, match="lost the lock"):
            save()


def test_ledger_closes_before_any_display_and_the_gate_speaks_last() -> None:
    manager = _create_hook_manager()
    _register_hooks(manager, HOOKS)

    def order(name: str) -> list[str]:
        """The hooks in the order of their calls."""
        calls = getattr(manager.hook, name).get_hookimpls()
        return [type(one.plugin).__name__ for one in reversed(calls)]

    ends = order("after_pipeline_run")
    assert ends[:2] == ["LockHooks", "PreflightHooks"]
    assert ends[-1] == "GateHooks"
    assert order("after_node_finished") == ["LockHooks", "PreflightHooks"]
    assert order("before_pipeline_run")[0] == "LockHooks"
