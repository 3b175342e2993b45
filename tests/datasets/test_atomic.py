from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from borderline.datasets import CSVDataset, MatplotlibDataset, PickleDataset, TextDataset


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
