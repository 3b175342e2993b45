from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from kedro.io import DatasetError

from borderline.datasets import StudyStorage


def test_studies_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    path = str(tmp_path / "deep/studies.sqlite")
    assert StudyStorage(filepath=path).exists()
    study = optuna.create_study(storage=StudyStorage(filepath=path).load(), study_name="x")
    study.add_trial(optuna.trial.create_trial(value=1.5))
    again = optuna.load_study(storage=StudyStorage(filepath=path).load(), study_name="x")
    assert again.best_value == 1.5


def test_it_cannot_be_saved_to(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        StudyStorage(filepath=str(tmp_path / "s.sqlite")).save(1)  # type: ignore[arg-type]
