"""Studies that several processes share, in a real PostgreSQL; skipped where that is missing."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from borderline.datasets import StudyStorage
from conftest import blobs, clustering_params
from searcher import Searcher, begin, fork_server, start

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
TRIALS = 6

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="Debian's package postgresql is missing")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a database, of a server that refuses to run as root."""
    assert PROGRAMS is not None
    as_root = os.geteuid() == 0
    owner = ["runuser", "-u", "postgres", "--"] if as_root else []
    folder = Path(tempfile.mkdtemp(prefix="borderline-postgresql-"))
    if as_root:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)

    def call(program: str, *arguments: str) -> None:
        command = [*owner, str(PROGRAMS.parent / program), *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        subprocess.run(command, cwd=folder, check=True, **quiet)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(folder / "data")
    call("initdb", "-D", data, "-U", "borderline", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -F"
    log = str(folder / "log")
    call("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
    try:
        yield f"postgresql+psycopg://borderline@127.0.0.1:{port}"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """A database of its own, with Optuna's tables in it, as the checks before a run leave it."""
    import psycopg

    name = request.node.name
    plain = server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    StudyStorage(filepath="unused", url=f"{server}/{name}").load()
    return f"{server}/{name}"


def beats(url: str) -> bool:
    """Whether the heart of a trial has beaten."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM trial_heartbeats").fetchone() or (0,)
    return bool(count)


def study_in(url: str) -> optuna.Study:
    storage = StudyStorage(filepath="unused", url=url).load()
    (summary,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=summary.study_name, storage=storage)


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return fork_server()


def start_trials(
    context: ForkServerContext, url: str, trials: int, *, seconds: float, heartbeat: int = 60
) -> Searcher:
    params = clustering_params(trials=trials, clusterings=["kmeans"])
    points = blobs(30, 30, 30)[0]
    return start(context, url, points, params, seconds=seconds, heartbeat=heartbeat)


def asleep(context: ForkServerContext, url: str) -> Searcher:
    """A process that sleeps since the middle of a trial, so that nothing is heard of it."""
    searcher = start_trials(context, url, 3, seconds=6, heartbeat=1)
    begin(searcher)
    assert searcher.says() == ("begun", 0)
    while not beats(url):  # at once, but in a thread of its own
        time.sleep(0.1)
    assert searcher.process.pid is not None
    os.kill(searcher.process.pid, signal.SIGSTOP)
    assert [trial.state for trial in study_in(url).trials] == [TrialState.RUNNING]
    time.sleep(2.5)  # longer than two beats of the heart, after which it is given up
    return searcher


def assert_the_other_finds_all(url: str, other: Searcher) -> None:
    begin(other)
    assert other.finish()[1] == [0, 1, 2]
    states = [trial.state for trial in study_in(url).trials]
    assert states[0] == TrialState.FAIL
    assert TrialState.RUNNING not in states
    assert sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states) == 3


def test_two_processes_share_a_search(context: ForkServerContext, database: str) -> None:
    searchers = [start_trials(context, database, TRIALS, seconds=0.5) for _ in range(2)]
    begin(*searchers)
    ends = [searcher.finish() for searcher in searchers]
    begun = [set(numbers) for numbers, _ in ends]
    assert all(begun), "both took part"
    assert not begun[0] & begun[1], "and in trials of their own"
    # Each process ends with the whole table.
    assert [table for _, table in ends] == [list(range(TRIALS))] * 2
    trials = study_in(database).trials
    assert TRIALS <= len(trials) <= TRIALS + 1, "one may have been on its way"
    assert all(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)


def test_trial_of_a_silent_process_is_given_up_and_the_process_goes_on(
    context: ForkServerContext, database: str
) -> None:
    """A process that was killed is as silent as one that sleeps."""
    other = start_trials(context, database, 3, seconds=0, heartbeat=1)
    sleeping = asleep(context, database)
    assert_the_other_finds_all(database, other)
    assert sleeping.process.pid is not None
    os.kill(sleeping.process.pid, signal.SIGCONT)
    assert sleeping.finish()[1] == [0, 1, 2]
