"""Rows of a Hugging Face set without an image or a label, and columns of plain labels."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages


def save(
    folder: Path, labels: list[Any], kind: Any, missing: int | None = None
) -> datasets.Dataset:
    """Images whose grey levels are their rows; ``missing`` has no image."""
    images = [
        None if row == missing else Image.fromarray(np.full((8, 8), row, np.uint8))
        for row in range(len(labels))
    ]
    features = datasets.Features({"image": datasets.Image(), "label": kind})
    saved = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)
    saved.save_to_disk(folder)
    return saved


def load(folder: Path, **settings: Any) -> SourceImages:
    return ImageSource(kind="hugging_face", path=str(folder), **settings).load()


def levels(source: SourceImages) -> list[int]:
    return [round((float(image.mean()) + 1) * 127.5) for image in source.train["images"]]


NAMES = datasets.ClassLabel(names=["cat", "dog"])


@pytest.mark.parametrize(
    ("labels", "missing", "words"),
    [
        ([0, 1, 0], 1, r"row 1 of train \(it has no image\)"),
        ([0, None, 1], None, r"row 1 of train \(it has no label\)"),
        ([0, -1, 1], None, r"row 1 of train \(it has no label\)"),
    ],
)
def test_rows_without_image_or_label(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    labels: list[int | None],
    missing: int | None,
    words: str,
) -> None:
    save(tmp_path / "saved", labels, NAMES, missing)
    with pytest.raises(DatasetError, match=rf"1 of 3 images.*{words}.*leave_out"):
        load(tmp_path / "saved")
    with caplog.at_level(logging.WARNING):
        source = load(tmp_path / "saved", broken="leave_out")
    assert levels(source) == [0, 2]
    assert "Left out, because it cannot be read: row 1" in caplog.text


def test_empty_image_is_left_out(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": NAMES})
    pixels = Image.fromarray(np.full((8, 8), 7, np.uint8))
    rows = {"image": [{"bytes": b"", "path": None}, pixels], "label": [0, 1]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    assert levels(load(tmp_path / "saved", broken="leave_out")) == [7]


@pytest.mark.parametrize(
    ("labels", "kind", "classes", "expected"),
    [
        (["dog", "cat", "dog"], "string", ("cat", "dog"), [1, 0, 1]),
        ([10, 2, 10], "int64", ("2", "10"), [1, 0, 1]),
        (["01", "1", "01"], "string", ("01", "1"), [0, 1, 0]),
    ],
)
def test_plain_labels_are_names(
    tmp_path: Path, labels: list[Any], kind: str, classes: tuple[str, ...], expected: list[int]
) -> None:
    save(tmp_path / "saved", labels, datasets.Value(kind))
    source = load(tmp_path / "saved")
    assert source.classes == classes
    assert source.train["labels"].tolist() == expected
    assert source.train_columns is None


def test_labels_that_are_fractions_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "saved", [0.5, 1.0], datasets.Value("float64"))
    with pytest.raises(DatasetError, match=r"'label' is of type float64.*cast it to ClassLabel"):
        load(tmp_path / "saved")


def test_validation_split_is_used_and_others_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = save(tmp_path / "rows", [0, 1, 0, 1], NAMES)
    splits = {"train": rows, "valid": rows.select([0, 1]), "extra": rows}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    source = load(tmp_path / "saved")
    assert source.train["validation"].tolist() == [False] * 4 + [True] * 2
    assert levels(source) == [0, 1, 2, 3, 0, 1]
    assert source.test is None
    assert "The split extra of" in caplog.text
