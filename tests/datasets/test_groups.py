"""Groups of images: their ids from every kind of source, and splits that keep them whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource
from borderline.datasets.groups import split_groups
from borderline.datasets.image_source import SourceImages

IDS = ["007", "7", "1.0", "b", "b", "007"]
LABELS = [0, 1, 0, 1, 0, 1]


def files(folder: Path) -> pd.DataFrame:
    """Six pictures in two folders of classes, and the patient of each."""
    rows = []
    for number, (label, patient) in enumerate(zip(LABELS, IDS, strict=True)):
        name = f"{'ab'[label]}/{number}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / name)
        rows.append({"file_name": name, "patient": patient, "age": 30 + number})
    return pd.DataFrame(rows)


def of_folder(folder: Path) -> dict[str, Any]:
    files(folder).to_csv(folder / "metadata.csv", index=False)
    return {"kind": "image_folder", "path": str(folder)}


def of_table(folder: Path) -> dict[str, Any]:
    files(folder).assign(label=LABELS).to_csv(folder / "t.csv", index=False)
    return {"kind": "table", "path": str(folder / "t.csv")}


def of_lines(folder: Path) -> dict[str, Any]:
    rows = files(folder).assign(label=LABELS).to_dict("records")
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"kind": "table", "path": str(folder / "t.jsonl")}


def of_arrays(folder: Path) -> dict[str, Any]:
    images = np.stack([np.full((8, 8), number, np.uint8) for number in range(6)])
    np.savez(folder / "a.npz", images=images, labels=LABELS, patient=IDS, age=range(30, 36))
    return {"kind": "arrays", "path": str(folder / "a.npz")}


def of_hugging_face(folder: Path) -> dict[str, Any]:
    pictures = [Image.fromarray(np.full((8, 8), number, np.uint8)) for number in range(6)]
    features = {"x": datasets.Image(), "y": datasets.ClassLabel(names=["a", "b"])}
    features |= {"patient": datasets.Value("string"), "age": datasets.Value("int64")}
    rows = {"x": pictures, "y": LABELS, "patient": IDS, "age": range(30, 36)}
    saved = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    saved.save_to_disk(folder / "saved")
    return {"kind": "hugging_face", "path": str(folder / "saved")}


def ids_of(source: SourceImages) -> list[tuple[int, str]]:
    """The grey level and the id of each training image."""
    assert source.groups is not None
    levels = ((source.train["images"][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    ids = [source.groups.ids[group] for group in source.train["groups"].tolist()]
    return sorted(zip(levels, ids, strict=True))


@pytest.mark.parametrize("write", [of_folder, of_table, of_lines, of_arrays, of_hugging_face])
def test_ids_are_texts_as_written_and_no_columns_to_compare(
    tmp_path: Path, write: Callable[[Path], dict[str, Any]]
) -> None:
    settings = write(tmp_path)
    source = ImageSource(**settings, group_column="patient").load()
    assert ids_of(source) == list(enumerate(IDS))
    assert source.train_columns is not None
    assert list(source.train_columns) == ["age"]
    assert "groups" not in ImageSource(**settings).load().train
    # Somebody who names the column wants to compare patterns in it.
    named = ImageSource(**settings, group_column="patient", columns=["patient"]).load()
    assert list(named.train_columns) == ["patient"]


def test_level_of_folders_can_be_the_group(tmp_path: Path) -> None:
    files(tmp_path / "s1")
    files(tmp_path / "s2")
    about = {"kind": "image_folder", "path": str(tmp_path), "levels": ["site", "class"]}
    source = ImageSource(**about, group_column="site").load()
    assert [id_ for _, id_ in ids_of(source)] == ["s1", "s2"] * 6
    assert source.train_columns is None


def test_whole_numbers_of_a_table_with_gaps_are_read_as_such() -> None:
    from borderline.datasets.groups import _text

    values = [7.0, np.float32(7), 7, "7.0", np.float64("nan"), None, pd.NA, " ", "NaN", 0.5]
    assert [_text(value) for value in values] == ["7", "7", "7", "7.0", *[None] * 5, "0.5"]


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("pateint", {}, r"'pateint' \(did you mean 'patient'\?\)"),
        ("label", {}, "no such column beside those of files, classes and splits"),
        ("patient", {"patient": ["", "NaN", *"abcd"]}, "but 2 of 6 images of .* have no value"),
    ],
)
def test_column_that_is_missing_or_has_gaps_is_refused(
    tmp_path: Path, column: str, change: dict[str, list[str]], words: str
) -> None:
    table = files(tmp_path).assign(label=LABELS, **change)
    table.to_csv(tmp_path / "t.csv", index=False)
    source = ImageSource(kind="table", path=str(tmp_path / "t.csv"), group_column=column)
    with pytest.raises(DatasetError, match=words):
        source.load()


def test_kind_without_columns_is_refused() -> None:
    with pytest.raises(Exception, match="'mnist_sample' has no columns"):
        ImageSource(kind="mnist_sample", group_column="patient")


def shares(labels: np.ndarray, groups: np.ndarray, share: float, seed: int = 0) -> list[float]:
    """The share of each class in the second part, of a split that is checked."""
    first, second = split_groups(labels, groups, share, seed)
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert not set(groups[first]) & set(groups[second])
    return [float((labels[second] == c).sum() / (labels == c).sum()) for c in np.unique(labels)]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.75])
def test_split_of_groups_keeps_the_share_of_each_class(share: float) -> None:
    random = np.random.default_rng(0)
    groups = random.integers(40, size=600)
    labels = (random.random(600) < 0.1 + 0.02 * groups).astype(int)
    assert shares(labels, groups, share) == pytest.approx([share, share], abs=0.02)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (np.zeros(20), [0, 0]),  # one group of everything
        (np.arange(20), [0.2, 0.2]),  # each image is its own group
        (np.arange(20) % 2, [0, 0]),  # the label
        # The second class is in one group only.
        (np.where(np.arange(20) % 2, 99, np.arange(20)), [0.2, 0]),
        # A huge group of 16 images, and two of two.
        (np.repeat([0, 1, 2], [16, 2, 2]), [0.2, 0.2]),
        # Nothing is nearer to the share than a half.
        (np.repeat([0, 1], 10), [0.5, 0.5]),
    ],
)
def test_odd_groups(groups: np.ndarray, expected: list[float]) -> None:
    for seed in range(3):
        assert shares(np.arange(20) % 2, groups, 0.2, seed) == pytest.approx(expected)


def test_split_follows_the_seed_and_staying_groups_stay() -> None:
    labels, groups = np.arange(60) % 2, np.arange(60) // 4
    first, second = split_groups(labels, groups, 0.2, 0)
    again, other = (split_groups(labels, groups, 0.2, seed)[0] for seed in (0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    _, without = split_groups(labels, groups, 0.2, 0, staying=groups[second])
    assert not set(groups[without]) & set(groups[second])
