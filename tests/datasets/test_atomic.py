from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects
import pytest
import torch
from kedro.io import DatasetError
from matplotlib.figure import Figure

from borderline.commands.run import sentence_of
from borderline.datasets import (
    CSVDataset,
    JSONDataset,
    MatplotlibDataset,
    PickleDataset,
    PlotlyDataset,
    TensorDataset,
    TextDataset,
)
from borderline.datasets.checkpoints import CheckpointDataset


class Unwritable:
    def __reduce__(self) -> str:
        raise RuntimeError("the disk is full")


def test_failed_save_leaves_the_former_file_and_nothing_beside(tmp_path: Path) -> None:
    dataset = PickleDataset(filepath=str(tmp_path / "model.pickle"), trust=True)
    dataset.save([1, 2, 3])
    with pytest.raises(DatasetError):
        dataset.save([b"x" * 100_000, Unwritable()])
    assert dataset.load() == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["model.pickle"]


def test_save_replaces_and_makes_folders(tmp_path: Path) -> None:
    dataset = CSVDataset(filepath=str(tmp_path / "a/b/table.csv"))
    for value in (1, 2):
        dataset.save(pd.DataFrame({"x": [value]}))
    assert dataset.load()["x"].tolist() == [2]


def test_figure_keeps_its_format(tmp_path: Path) -> None:
    dataset = MatplotlibDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(Figure())
    assert dataset.load().startswith(b"\x89PNG")


def test_text_is_utf_8_with_plain_line_ends_everywhere(tmp_path: Path) -> None:
    dataset = TextDataset(filepath=str(tmp_path / "page.html"))
    dataset.save("\u25d0\n")
    assert (tmp_path / "page.html").read_bytes() == "\u25d0\n".encode()
    assert dataset.load() == "\u25d0\n"


TENSOR = torch.zeros(90_000)
FIGURE = Figure()
SMALL_AND_LARGE: dict[type[Any], tuple[str, Any, Any]] = {
    CSVDataset: ("csv", pd.DataFrame({"x": [1]}), pd.DataFrame({"x": range(90_000)})),
    JSONDataset: ("json", [1], list(range(90_000))),
    TextDataset: ("html", "a", "a" * 90_000),
    PickleDataset: ("pickle", [1], [b"a" * 90_000]),
    TensorDataset: ("safetensors", {"x": TENSOR[:1]}, {"x": TENSOR}),
    CheckpointDataset: ("pt", {"state": {}}, {"state": {"x": TENSOR}}),
    MatplotlibDataset: ("png", FIGURE, FIGURE),
    PlotlyDataset: ("json", plotly.graph_objects.Figure(), plotly.graph_objects.Figure()),
}


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file grow beyond a number of bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("kind", SMALL_AND_LARGE)
@pytest.mark.parametrize("room", [0, 1500])
def test_full_disk_leaves_the_former_file_and_one_sentence(
    tmp_path: Path, kind: type[Any], room: int
) -> None:
    suffix, small, large = SMALL_AND_LARGE[kind]
    dataset = kind(filepath=str(tmp_path / f"x.{suffix}"))
    dataset.save(small)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    room = min(room, len(before[f"x.{suffix}"]) - 1)
    with full_disk(room), pytest.raises(DatasetError) as raised:
        dataset.save(large)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    sentence = sentence_of(raised.value)
    assert sentence is not None
    assert "free disk space" in sentence


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EACCES, errno.ENOSPC])
def test_rename_that_fails_never_copies_over_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    dataset = TextDataset(filepath=str(tmp_path / "x.html"))
    dataset.save("old")
    with monkeypatch.context() as patch:
        for name in ("rename", "replace"):
            patch.setattr(os, name, refuse)
        with pytest.raises(DatasetError) as raised:
            dataset.save("new")
    assert "cannot be used" in str(sentence_of(raised.value))
    assert dataset.load() == "old"
    assert len(list(tmp_path.iterdir())) == 1
