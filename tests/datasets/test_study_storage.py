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


def test_an_address_is_opened_in_place_of_the_file(tmp_path: Path) -> None:
    file, shared = tmp_path / "file.sqlite", tmp_path / "shared.sqlite"
    storage = StudyStorage(filepath=str(file), url=f"sqlite:///{shared}").load()
    optuna.create_study(storage=storage, study_name="x")
    assert shared.exists()
    assert not file.exists()
    assert storage.get_heartbeat_interval() == 60
    assert StudyStorage(filepath=str(file)).load().get_heartbeat_interval() is None


def test_odd_characters_of_an_address_and_of_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "file:a%20b?c=d#{e} é.sqlite"
    optuna.create_study(storage=StudyStorage(filepath=str(odd)).load(), study_name="x")
    assert list(tmp_path.iterdir()) == [odd]
    url = f"sqlite:///{tmp_path}/p%40s{{s}}.sqlite"
    optuna.create_study(storage=StudyStorage(filepath="unused", url=url).load(), study_name="x")
    assert (tmp_path / "p@s{s}.sqlite").exists()


@pytest.mark.parametrize(
    "url",
    [
        *("nosuch://me:secret@host/name", "nosuch://host/name?user=me&password=secret"),
        *("postgresql://me:{secret}@host:port/name", "no address"),
    ],
)
def test_an_address_that_cannot_be_opened_is_said_without_its_password(url: str) -> None:
    storage = StudyStorage(filepath="unused", url=url)
    with pytest.raises(DatasetError, match="study_storage is") as error:
        storage.load()
    assert "conf/<env>/globals.yml" in str(error.value)
    assert "secret" not in str(error.value) + str(storage)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "studies.sqlite"
    path.write_text("no database at all, but long enough to be looked at" * 50)
    with pytest.raises(DatasetError, match="move that file away"):
        StudyStorage(filepath=str(path)).load()
