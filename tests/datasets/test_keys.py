from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog

from borderline.datasets import ModelDataset, PickleDataset
from borderline.datasets.keys import NO_TAG, VARIABLE, ProjectKey, with_key
from borderline.errors import BorderlineError
from conftest import start_kedro

KEY = "ab" * 32


def test_projects_that_start_together_have_one_key_that_only_the_user_reads(tmp_path: Path) -> None:
    path = tmp_path / "local/data_folder.key"
    assert ProjectKey(str(path)).read() is None
    assert ProjectKey(str(path)).tag(b"x") == NO_TAG
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: ProjectKey(str(path)).make(), range(8)))
    assert keys == {bytes.fromhex(path.read_text())}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["data_folder.key"]


def test_another_process_has_the_key_and_no_text_does(tmp_path: Path) -> None:
    path = tmp_path / "data_folder.key"
    path.write_text(KEY)
    dataset = PickleDataset(filepath=str(tmp_path / "x.pickle"), key_file=str(path))
    dataset.save([1])
    sent = pickle.dumps(dataset)
    path.unlink()
    assert pickle.loads(sent).load() == [1]
    assert vars(dataset.key)["_key"] == bytes.fromhex(KEY)
    catalog = DataCatalog({"x": dataset})
    shown = [repr(dataset), str(dataset._describe()), str(catalog.to_config()), repr(dataset.key)]
    assert not any("ab" * 8 in text or "xab" in text for text in shown)


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{KEY}\n")
    path = tmp_path / "data_folder.key"
    assert ProjectKey(str(path)).make() == ProjectKey(None).make() == bytes.fromhex(KEY)
    assert not path.exists()
    monkeypatch.setenv(VARIABLE, "secret")
    with pytest.raises(BorderlineError, match=f"{VARIABLE} must be 64 hexadecimal digits") as error:
        ProjectKey(None).read()
    assert "secret " not in str(error.value)
    assert "token_hex" in str(error.value)


@pytest.mark.parametrize("text", ["", "ab", "xy" * 32, f"{KEY}0"])
def test_a_malformed_key_is_told_and_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "data_folder.key"
    path.write_text(text)
    with pytest.raises(BorderlineError, match="restore that file, or remove it to make a new key"):
        ProjectKey(str(path)).make()
    assert path.read_text() == text


def test_a_folder_without_room_for_a_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "conf.tar.gz").write_text("")
    with pytest.raises(BorderlineError, match=f"set the environment variable {VARIABLE} to 64"):
        ProjectKey(str(tmp_path / "conf.tar.gz/local/data_folder.key")).make()


def test_a_catalog_without_a_key_saves_and_loads_what_needs_no_code(tmp_path: Path) -> None:
    dataset = ModelDataset(filepath=str(tmp_path / "x.safetensors"))
    dataset.save((1, "a"))
    assert dataset.load() == (1, "a")


def test_settings_reach_the_datasets_of_both_folders(project: Path) -> None:
    start_kedro()
    changed: dict[str, Any] = {"other_run": {"trust": True}}
    with KedroSession.create(project, env="test", runtime_params=changed) as session:
        catalog = session.load_context().catalog
    own, other = catalog.get("cnn_1.cluster_model"), catalog.get("other_run.cnn_1.classifier")
    assert (own._trust, own._trust_setting) == (False, "trust_data_folder")
    assert (other._trust, other._trust_setting) == (True, "other_run.trust")
    path = project / "conf/local/data_folder.key"
    assert own.key._path == path
    entries = {name: {"type": "borderline.datasets.ModelDataset"} for name in ("x", "other_run.x")}
    changed = with_key({**entries, "_x": 1}, str(path), trust=True, trust_other=False)
    assert (changed["x"]["trust"], changed["other_run.x"]["trust"]) == (True, False)


def test_trust_of_the_data_folder_is_a_setting_beside_the_stages(project: Path) -> None:
    changed = {"trust_data_folder": True}
    start_kedro()
    with KedroSession.create(project, env="test", runtime_params=changed) as session:
        context = session.load_context()
    assert context.about.trust_data_folder
    assert context.catalog.get("cnn_1.cluster_model")._trust
    assert "trust_data_folder" not in context.derived.call.command()
