"""Kedro's own ParallelRunner, with either way to start a process: the same tables, and tracked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch

from conftest import (
    EPOCHS,
    MODELS,
    assert_same_tables,
    copy_project,
    kedro_run_command,
    reporting_folder,
)

pytestmark = pytest.mark.road


@pytest.fixture(scope="module", params=["fork", "spawn"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after the first two stages; nothing tells its processes how many threads to use."""
    project = copy_project(tmp_path_factory.mktemp(request.param) / "project")
    environment = os.environ | {"KEDRO_MP_CONTEXT": request.param}
    environment.pop("OMP_NUM_THREADS", None)
    result = subprocess.run(
        kedro_run_command(
            *("--env", "test", "--pipelines", "classifier,gasten", "--runner", "ParallelRunner"),
            *("--runner-params", "max_workers=2", "--params", f"{EPOCHS},tracking.mode=offline"),
        ),
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,  # a process that waits for threads which it has not waits for ever
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (project / "output.txt").write_text(result.stdout)
    return project


def test_tables_are_those_of_one_process(whole: Path, finished: Path) -> None:
    assert torch.get_num_threads() == 1, "set OMP_NUM_THREADS=1 for the tests, as make test does"
    assert_same_tables(reporting_folder(whole), reporting_folder(finished), least=20)


def test_trainings_of_forked_processes_say_how_far_they_are(finished: Path) -> None:
    if not finished.parent.name.startswith("fork"):
        pytest.skip("Kedro calls no hooks of the project in spawned processes")
    said = " ".join((finished / "output.txt").read_text().split())
    for model in MODELS:
        assert f"{model}.classifier.train_classifier 2/2" in said


def test_what_other_processes_saved_is_tracked_at_the_end(finished: Path) -> None:
    from test_tracking import Tracked

    files = (finished / "data/test/wandb").glob("offline-run-*/*.wandb")
    runs = {run.stage: run for run in map(Tracked, files)}
    assert set(runs) == {"classifier", "gasten"}
    assert all(run.ended == [0] for run in runs.values())
    names = {name for run in runs.values() for row in run.rows for name in row}
    for model in MODELS:
        assert f"{model}/classifier_scores" in names
    assert any("classifier" in name for name in runs["classifier"].artifacts)
    assert "Tracking stopped" not in (finished / "output.txt").read_text()
