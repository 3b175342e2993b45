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
    kedro_run_command,
    reporting_folder,
)
from test_tracking import Tracked

pytestmark = pytest.mark.road


# One test a way, for two workers of pytest that share three would run each twice.
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_first_stages_are_as_ever(context: str, whole: Path, project: Path) -> None:
    """Nothing tells the processes how many threads to use."""
    assert torch.get_num_threads() == 1, "set OMP_NUM_THREADS=1 for the tests, as make test does"
    environment = os.environ | {"KEDRO_MP_CONTEXT": context}
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
        timeout=900,  # a process that waits for threads which it has not waits for ever
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr

    # The tables are those of one process.
    assert_same_tables(reporting_folder(whole), reporting_folder(project), least=20)

    # Trainings say how far they are; Kedro calls no hooks of the project in spawned processes.
    said = " ".join(result.stdout.split())
    for model in MODELS:
        assert context == "spawn" or f"{model}.classifier.train_classifier 2/2" in said

    # What other processes saved is tracked at the end.
    files = (project / "data/test/wandb").glob("offline-run-*/*.wandb")
    runs = {run.stage: run for run in map(Tracked, files)}
    assert set(runs) == {"classifier", "gasten"}
    assert all(run.ended == [0] for run in runs.values())
    names = {name for run in runs.values() for row in run.rows for name in row}
    for model in MODELS:
        assert f"{model}/classifier_scores" in names
    assert any("classifier" in name for name in runs["classifier"].artifacts)
    assert "Tracking stopped" not in result.stdout
