"""The whole road on two workers, one of which is killed while it trains: the same tables."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import (
    EPOCHS,
    MODELS,
    assert_same_tables,
    copy_project,
    kedro_run_command,
    reporting_folder,
)

pytestmark = pytest.mark.road

DASK = ("--runner", "borderline.runners.DaskRunner")
TWO = ("--runner-params", "max_workers=2")
BEGINS = re.compile(r"(\S+\.train_generator) begins on \d+ \(process (\d+)\)")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a run one of whose workers was killed in the middle of a training."""
    project = copy_project(tmp_path_factory.mktemp("dask") / "project")
    with subprocess.Popen(
        kedro_run_command("--env", "test", "--params", EPOCHS, *DASK, *TWO),
        cwd=project,
        env=os.environ | {"COLUMNS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said, victim, dead = "", None, False
        for line in process.stdout:
            said += line
            victim = victim or BEGINS.search(line)
            if victim and not dead and f"{victim[1]} 1/" in line:
                os.kill(int(victim[2]), signal.SIGKILL)
                dead = True
    assert process.returncode == 0, said
    assert dead
    (project / "output.txt").write_text(said)
    return project


def test_tables_are_those_of_one_process(whole: Path, killed: Path) -> None:
    expected, found = reporting_folder(whole), reporting_folder(killed)
    tables = {path.relative_to(expected) for path in expected.rglob("*.csv")}
    assert {path.relative_to(found) for path in found.rglob("*.csv")} == tables
    assert_same_tables(expected, found, least=80)


def test_killed_training_ran_again_and_went_on_from_its_checkpoint(killed: Path) -> None:
    said = (killed / "output.txt").read_text()
    began = [name for name, _ in BEGINS.findall(said)]
    again = [name for name in set(began) if began.count(name) == 2]
    assert len(again) == 1
    assert said.count(f"{again[0]} 1/") <= 2, "one line when it was made, one when it was found"


def test_client_ends_the_run_as_ever(killed: Path) -> None:
    said = (killed / "output.txt").read_text()
    for words in ("What the run found", "Pictures:", "report.html", *MODELS):
        assert words in said
    assert "Traceback" not in said
    assert "Unable to create statistics" not in said
