from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import torch
from kedro.io import MemoryDataset

from borderline.datasets import (
    CheckpointFolder,
    CSVDataset,
    JSONDataset,
    StudyStorage,
    TensorFolder,
)
from borderline.datasets.digests import digests_of, place_of

PART = {"images": torch.zeros(2)}


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [cut, flip, replace_by_folder, lambda file: file.write_text("")])
def test_every_change_of_a_file_changes_its_digest(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    dataset = CSVDataset(filepath=str(tmp_path / "x.csv"))
    assert digests_of(dataset) is None
    dataset.save(pd.DataFrame({"x": range(9)}))
    before = digests_of(dataset)
    assert before == digests_of(dataset)
    assert before is not None
    damage(tmp_path / "x.csv")
    assert digests_of(dataset) not in (before, None)


def test_names_and_contents_of_a_folder_count_but_not_what_a_kill_left(tmp_path: Path) -> None:
    folder = TensorFolder(path=str(tmp_path / "images"))
    folder.save({"part_00000": PART, "part_00001": PART})
    before = digests_of(folder)
    (tmp_path / "images/.0123.safetensors").write_bytes(b"half")
    (tmp_path / "images/notes.txt").touch()
    assert digests_of(folder) == before
    (tmp_path / "images/part_00001.safetensors").rename(tmp_path / "images/part_2.safetensors")
    assert digests_of(folder) == {
        {"part_00001.safetensors": "part_2.safetensors"}.get(name, name): digest
        for name, digest in (before or {}).items()
    }
    moved = TensorFolder(path=str((tmp_path / "images").rename(tmp_path / "moved")))
    (tmp_path / "moved/part_2.safetensors").rename(tmp_path / "moved/part_00001.safetensors")
    assert digests_of(moved) == before


def test_what_keeps_no_files_has_no_digest(tmp_path: Path) -> None:
    for dataset in (MemoryDataset(1), StudyStorage(filepath=str(tmp_path / "x.sqlite"))):
        assert digests_of(dataset) is None


def test_a_bucket_gives_its_own_hashes_without_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset: Any = JSONDataset(filepath="memory://bucket/x.json")
    dataset.save([1])
    assert digests_of(dataset) is None, "this file system keeps no hash"
    path = str(dataset._filepath)
    for key, kept in (("ETag", "one"), ("md5Hash", "two")):
        info = {path: {"name": path, "size": 3, key: kept}}
        monkeypatch.setattr(dataset._fs, "find", lambda *_, info=info, **__: info)
        monkeypatch.setattr(dataset._fs, "open", None)
        first = digests_of(dataset)
        assert first is not None
        assert first["x.json"] == f"bucket:3:{kept}"


def test_a_place_holds_its_files(tmp_path: Path) -> None:
    folder = place_of(TensorFolder(path=str(tmp_path / "images")))
    assert folder is not None
    assert folder.holds(str(tmp_path / "images/part.safetensors"))
    assert not folder.holds(str(tmp_path / "images_2/part.safetensors"))
    assert isinstance(folder.fs, fsspec.AbstractFileSystem)


def test_a_single_checkpoint_in_place_of_a_folder_is_a_file(tmp_path: Path) -> None:
    place = place_of(CheckpointFolder(path=str(tmp_path / "given.pt")))
    assert place is not None
    assert not place.is_folder
