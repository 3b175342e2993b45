"""Kedro's own ParallelRunner, with either way to start a process: the same tables, and tracked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch

from conftest import (
    MODELS,
    ROOT,
    assert_same_tables,
    cut_short,
    kedro_run_command,
    reporting_folder,
)
from tracker import finished_runs

pytestmark = pytest.mark.road


# One test for each way, so that each run happens once for all pytest workers.
# One spawned process is like the other, and each imports everything again.
@pytest.mark.parametrize(
    ("context", "workers", "stages"), [("fork", 2, "classifier,gasten"), ("spawn", 1, "classifier")]
)
def test_first_stages_are_as_ever(
    context: str, workers: int, stages: str, short: Path, project: Path
) -> None:
    """Nothing tells the processes how many threads to use."""
    assert torch.get_num_threads() == 1, "set OMP_NUM_THREADS=1 for the tests, as make test does"
    file = project / "tracker.jsonl"
    paths = os.pathsep.join(filter(None, [str(ROOT / "tests/fake"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {
        "KEDRO_MP_CONTEXT": context,
        "PYTHONPATH": paths,
        "TRACKER_FILE": str(file),
    }
    environment.pop("OMP_NUM_THREADS", None)
    result = subprocess.run(
        kedro_run_command(
            *("--env", "test", "--pipelines", stages, "--runner", "ParallelRunner"),
            *("--runner-params", f"max_workers={workers}", "--params", "tracking.mode=offline"),
        ),
        cwd=cut_short(project),
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,  # A forked process that waits for missing threads never ends.
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr

    # The tables are those of one process.
    assert_same_tables(reporting_folder(short), reporting_folder(project), least=4)

    # Trainings log their progress; Kedro calls no hooks of the project in spawned processes.
    output = " ".join(result.stdout.split())
    model = MODELS[0]
    assert context == "spawn" or f"{model}.classifier.train_classifier 2/2" in output

    # The results of other processes are tracked at the end.
    runs = {run["stage"]: run for run in finished_runs(file)}
    assert set(runs) == set(stages.split(","))
    assert all(run["exit_code"] == 0 for run in runs.values())
    assert f"{model}/classifier_scores_table" in runs["classifier"]["names"]
    assert f"{model}.classifier.safetensors" in str(runs["classifier"]["artifacts"])
    assert "Tracking stopped" not in result.stdout
