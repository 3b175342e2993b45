"""A flow-matching model from its training to the leaderboard, in the test environment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from conftest import copy_project, kedro_run, models_folder, reporting_folder

_TINY = {"channels": [8], "epochs": 2, "steps_per_epoch": 10, "batch_size": 16, "steps": 4}


@pytest.mark.road
def test_models_share_a_flow_that_is_searched(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["generators"] |= {"diffusion": _TINY}
    parameters["grid"] = {"models": ["cnn_1", "mlp_4"], "generators": ["diffusion", "flow_search"]}
    parameters["judge_kinds"]["lenet"]["members"] = 1
    path.write_text(yaml.safe_dump(parameters))
    stages = ("--env", "test", "--pipelines", "classifier,gasten,metrics")
    result = kedro_run(project, *stages)
    assert result.returncode == 0, result.stdout + result.stderr
    # No GAN is trained, and one flow for both models.
    assert not (models_folder(project) / "gan").exists()
    checkpoints = sorted((models_folder(project) / "diffusion/checkpoints").iterdir())
    assert [file.name for file in checkpoints] == ["epoch_0001.pt", "epoch_0002.pt"]
    for model in ("cnn_1", "mlp_4"):
        board = pd.read_csv(reporting_folder(project) / model / "leaderboard.csv")
        assert board["source"][:2].isin(["diffusion", "flow_search"]).all()
        curves = pd.read_csv(reporting_folder(project) / model / "epochs.csv")
        assert curves["source"].tolist() == ["diffusion"] * 2
    result = kedro_run(project, *stages, "--params", "generators.diffusion.learning_rate=0.5")
    assert result.returncode != 0
    assert "generators.diffusion.learning_rate is 0.5" in " ".join(result.stderr.split())
