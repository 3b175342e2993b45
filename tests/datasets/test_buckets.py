"""Our datasets at an address of S3, with the key of the environment."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import optuna
import pandas as pd
import plotly.graph_objects as go
import pytest
import s3fs
import torch
from kedro.io import DatasetError
from matplotlib.figure import Figure
from moto.server import ThreadedMotoServer

from borderline.datasets import (
    CheckpointFolder,
    CSVDataset,
    FigureFolder,
    ModelDataset,
    PickleDataset,
    PlotlyDataset,
    StudyStorage,
    TensorDataset,
    TensorFolder,
)
from borderline.datasets.buckets import address_of, folder_of
from borderline.datasets.digests import digests_of


# One server for the session: the tests of a module may be dealt out in two goes.
@pytest.fixture(scope="session", autouse=True)
def bucket() -> Iterator[s3fs.S3FileSystem]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        s3fs.S3FileSystem.clear_instance_cache()
        client = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
        # The servers of one process share what is in them.
        if not client.exists("bucket"):
            client.mkdir("bucket")
        yield client
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


class Unwritable:
    def __reduce__(self) -> str:
        raise RuntimeError("the connection broke")


def test_failed_save_leaves_the_former_object_and_nothing_beside(bucket: s3fs.S3FileSystem) -> None:
    dataset = PickleDataset(filepath="s3://bucket/a/model.pickle", trust=True)
    dataset.save([1, 2, 3])
    with pytest.raises(DatasetError):
        dataset.save([b"x" * 100_000, Unwritable()])
    assert dataset.load() == [1, 2, 3]
    assert bucket.find("bucket/a") == ["bucket/a/model.pickle"]


@pytest.mark.parametrize(
    ("dataset", "data"),
    [
        (CSVDataset(filepath="s3://bucket/b/x.csv"), pd.DataFrame({"x": [1]})),
        (TensorDataset(filepath="s3://bucket/b/x.safetensors"), {"x": torch.ones(2)}),
        (ModelDataset(filepath="s3://bucket/b/x.safetensors"), [0.5]),
        (PlotlyDataset(filepath="s3://bucket/b/x.json"), go.Figure()),
    ],
)
def test_another_process_can_have_the_dataset(dataset: Any, data: Any) -> None:
    dataset.save(data)
    other = pickle.loads(pickle.dumps(dataset))
    assert other.exists()
    assert type(other.load()) is type(data)
    assert address_of(other).startswith("s3://bucket/b/x.")
    assert folder_of(other) == "s3://bucket/b"


def test_folders_of_checkpoints_figures_and_parts() -> None:
    checkpoints = CheckpointFolder(path="s3://bucket/c/checkpoints", may_be_empty=True)
    assert checkpoints.load() == {}
    state = {"epoch": 1, "settings": {}, "history": [], "state": {"x": torch.ones(1)}}
    checkpoints.save({"epoch_0001": state})
    (load,) = checkpoints.load().values()
    assert load()["epoch"] == 1
    figures = FigureFolder(path="s3://bucket/c/figures")
    figures.save({"epoch_0001": Figure()})
    assert figures.preview()
    images = {"images": torch.zeros(2, 1, 8, 8)}
    parts = TensorFolder(path="s3://bucket/c/parts")
    parts.save({"part_00000": images, "part_00001": images})
    parts.save({"part_00000": images})
    assert list(parts.load()) == ["part_00000"], "a new first part begins the folder anew"
    assert parts.preview()


def test_study_in_a_bucket_outlives_the_process_that_made_it(bucket: s3fs.S3FileSystem) -> None:
    path = "s3://bucket/d/studies.sqlite"
    study = optuna.create_study(storage=StudyStorage(filepath=path).load(), study_name="x")
    study.optimize(lambda trial: trial.suggest_float("a", 0, 1), n_trials=2)
    again = optuna.load_study(storage=StudyStorage(filepath=path).load(), study_name="x")
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
    bucket.pipe_file("bucket/d/studies.journal", b"no journal")
    with pytest.raises(DatasetError, match=r"s3://bucket/d/studies.journal.*move that file away"):
        StudyStorage(filepath=path).load()


def test_digests_are_those_that_the_bucket_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    table = CSVDataset(filepath="s3://bucket/digests/table.csv")
    folder = TensorFolder(path="s3://bucket/digests/images")
    assert digests_of(table) is None
    assert digests_of(folder) is None
    part = {"images": torch.zeros(2)}
    table.save(pd.DataFrame({"x": [1]}))
    folder.save({"part_00000": part, "part_00001": part})
    monkeypatch.setattr(s3fs.S3FileSystem, "open", None)
    one, two = digests_of(folder).values()  # type: ignore[union-attr]
    assert one == two
    assert one.startswith("bucket:")
    before = digests_of(table)
    monkeypatch.undo()
    table.save(pd.DataFrame({"x": [2]}))
    after = digests_of(table)
    assert before is not None
    assert after is not None
    assert before.keys() == after.keys() == {"table.csv"}
    assert before != after
