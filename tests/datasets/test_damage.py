"""Each dataset class and each damage: one sentence that names the file, never a wrong content."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError
from plotly.graph_objects import Figure

from borderline.datasets import (
    CheckpointDataset,
    CSVDataset,
    JSONDataset,
    OptionalJSONDataset,
    PickleDataset,
    PlotlyDataset,
    StudyStorage,
    TensorDataset,
    TextDataset,
)
from borderline.datasets.atomic import DamagedFile
from borderline.errors import BorderlineError
from borderline.sweeps.state import StateFile

Make = Callable[[str], AbstractDataset[Any, Any]]
CHECKPOINT = {"epoch": 1, "settings": {}, "history": [], "state": {"weights": torch.ones(99)}}
CONTENTS: dict[type[Any], Any] = {
    CSVDataset: pd.DataFrame({"x": [1, 2]}),
    JSONDataset: {"pairs": [[7, 1]]},
    OptionalJSONDataset: {"pairs": [[7, 1]]},
    PickleDataset: [1, 2, 3],
    PlotlyDataset: Figure(),
    TensorDataset: {"images": torch.zeros(2, 3)},
    CheckpointDataset: CHECKPOINT,
}


def empty(_: bytes) -> bytes:
    return b""


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def noise(_: bytes) -> bytes:
    return b"\xff\x00\x80" * 40


@pytest.fixture(params=CONTENTS, ids=lambda kind: kind.__name__)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Path]:
    """A dataset of each class with a content, and its file."""
    file = tmp_path / "x.pt"
    dataset = request.param(filepath=str(file))
    dataset.save(CONTENTS[request.param])
    return dataset, file


@pytest.mark.parametrize("damage", [empty, half, noise])
def test_a_damaged_file_is_one_sentence(
    saved: tuple[Any, Path], damage: Callable[[bytes], bytes]
) -> None:
    dataset, file = saved
    if isinstance(dataset, CSVDataset) and damage is half:
        pytest.skip("half a table is a table: the ledger's digest finds it")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedFile) as caught:
        dataset.load()
    assert str(caught.value).startswith(f"The file {file} is damaged and cannot be read (")
    assert str(caught.value).endswith(".")
    assert str(caught.value).isprintable()


def test_a_folder_in_place_of_a_file_is_one_sentence(saved: tuple[Any, Path]) -> None:
    dataset, file = saved
    file.unlink()
    file.mkdir()
    with pytest.raises(DamagedFile, match=r"x\.pt is damaged and cannot be read"):
        dataset.load()
    with pytest.raises(DatasetError, match="is a folder, but a file is saved there: move it away"):
        dataset.save(CONTENTS[type(dataset)])
    assert list(file.iterdir()) == []


def test_a_missing_file_and_one_that_may_not_be_read_are_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset: Any = TensorDataset(filepath=str(tmp_path / "x"))
    with pytest.raises(DamagedFile, match="/x is missing: run the stage"):
        dataset.load()

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(dataset._fs, "open", forbidden)
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert not isinstance(caught.value, DamagedFile)
    assert isinstance(caught.value.__cause__, PermissionError)


def test_a_flipped_bit_of_the_weights_in_a_checkpoint_is_found(tmp_path: Path) -> None:
    """PyTorch itself loads such a file without a word."""
    file = tmp_path / "epoch_0001.pt"
    dataset = CheckpointDataset(filepath=str(file))
    dataset.save(CHECKPOINT)  # type: ignore[arg-type]
    content = file.read_bytes()
    place = content.index(torch.ones(9).numpy().tobytes())
    file.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    assert torch.load(file, weights_only=True)["epoch"] == 1
    with pytest.raises(DamagedFile, match=r"wrong checksum .*delete it and all later ones"):
        dataset.load()
    torch.save([1], file)
    with pytest.raises(DamagedFile, match="no checkpoint of this project"):
        dataset.load()


def test_the_sentence_survives_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(DamagedFile("a", "The file a is damaged", "delete it")))
    assert (str(error), error.path) == ("The file a is damaged: delete it.", "a")
    assert isinstance(error, BorderlineError)


def test_text_of_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(DamagedFile, match=r"x\.md is damaged"):
        TextDataset(filepath=str(tmp_path / "x.md")).load()


@pytest.mark.parametrize("damage", [half, noise])
def test_damaged_searches_are_found_before_the_run(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "x.sqlite"
    store = StudyStorage(filepath=str(file))
    store.check()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE studies (name TEXT)")
    store.check()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DatasetError, match=r"x\.sqlite cannot be opened \(.*move that file away"):
        store.check()


@pytest.mark.parametrize("content", [b'{"op_code": 0', b"[1]\n", b"{}\n", b"\xff"])
def test_a_damaged_journal_in_a_bucket_is_found_before_the_run(content: bytes) -> None:
    fsspec.filesystem("memory").pipe_file("/damaged.journal", content)
    with pytest.raises(DatasetError, match=r"damaged\.journal cannot be opened .*move that"):
        StudyStorage(filepath="memory:///damaged.sqlite").check()


@pytest.mark.parametrize("content", [b"", b'{"settings": {}', b"\xff\x80", b"[]", b'{"a": 1}'])
def test_damaged_state_of_a_sweep(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    plan: Any = type("Plan", (), {"settings": {}, "files": {}})()
    with pytest.raises(BorderlineError, match=r"state\.json is not the state of a sweep: move it"):
        StateFile(tmp_path).read(plan)
