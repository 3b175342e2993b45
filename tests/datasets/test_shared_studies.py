"""Studies that several processes share, in a real PostgreSQL; skipped where that is missing."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from borderline.datasets import StudyStorage

PROGRAMS = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
TRIALS = 6
# What each of several processes does, once it is told to by a line; the last arguments are how
# long a trial takes at least, and the seconds between two beats of the heart.
SEARCH = """
import sys, time
from borderline.datasets import StudyStorage, study_storage
from borderline.params import RunParams
from borderline.pipelines.clustering import search
from conftest import blobs, clustering_params

study_storage._HEARTBEAT_SECONDS = int(sys.argv[4])
tried = search._try
def slow(trial, *arguments):
    print("begun", trial.number, flush=True)
    time.sleep(float(sys.argv[3]))
    return tried(trial, *arguments)
search._try = slow
storage = StudyStorage(filepath="unused", url=sys.argv[1]).load()
print("ready", flush=True)
sys.stdin.readline()
params = clustering_params(trials=int(sys.argv[2]), clusterings=["kmeans"])
*_, table = search.search(blobs(30, 30, 30)[0], storage, params, RunParams(seed=0, device="cpu"))
print(*table["trial"].drop_duplicates(), sep=",")
"""

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


def start(
    url: str, seconds: float, trials: int = TRIALS, heartbeat: int = 60
) -> subprocess.Popen[str]:
    """A process that waits for ``begin``; several can be started at the same time."""
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, url, *map(str, (trials, seconds, heartbeat))],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(*processes: subprocess.Popen[str]) -> None:
    """Let processes begin together, once all of them are ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


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


def asleep(url: str) -> subprocess.Popen[str]:
    """A process that sleeps since the middle of a trial, so that nothing is heard of it."""
    process = start(url, 10, trials=3, heartbeat=1)
    begin(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun 0\n"
    while not beats(url):  # at once, but in a thread of its own
        time.sleep(0.1)
    process.send_signal(signal.SIGSTOP)
    assert [trial.state for trial in study_in(url).trials] == [TrialState.RUNNING]
    time.sleep(3)  # three beats of the heart: it is given two
    return process


def assert_the_other_finds_all(url: str, other: subprocess.Popen[str]) -> None:
    begin(other)
    assert other.communicate(timeout=300)[0].split()[-1] == "0,1,2"
    states = [trial.state for trial in study_in(url).trials]
    assert states[0] == TrialState.FAIL
    assert TrialState.RUNNING not in states
    assert sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states) == 3


def test_two_processes_share_a_search(database: str) -> None:
    processes = [start(database, 0.5) for _ in range(2)]
    begin(*processes)
    outputs = [process.communicate(timeout=300)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    begun = [set(words[1:-1:2]) for words in outputs]
    assert all(begun), "both took part"
    assert not begun[0] & begun[1], "and in trials of their own"
    # Each process ends with the whole table.
    expected = ",".join(map(str, range(TRIALS)))
    assert [words[-1] for words in outputs] == [expected, expected]
    trials = study_in(database).trials
    assert TRIALS <= len(trials) <= TRIALS + 1, "one may have been on its way"
    assert all(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)


def test_trial_of_a_silent_process_is_given_up_and_the_process_goes_on(database: str) -> None:
    """A process that was killed is as silent as one that sleeps."""
    other = start(database, 0, trials=3, heartbeat=1)
    sleeping = asleep(database)
    assert_the_other_finds_all(database, other)
    sleeping.send_signal(signal.SIGCONT)
    assert sleeping.communicate(timeout=300)[0].split()[-1] == "0,1,2"
    assert sleeping.returncode == 0
