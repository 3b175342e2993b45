"""Columns beside the images travel with them from every kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.nodes import select_pair
from borderline.preflight.inputs import digest_of_words

CLASSES = ("cat", "dog", "emu")
PAIR = PairParams(positive="dog", negative="emu", test_share=0.25)
RUN = RunParams(seed=0, device="cpu")


def picture(level: int) -> np.ndarray:
    """A picture whose grey level is its number, so that its column can be checked."""
    return np.full((8, 8), level, np.uint8)


def write_folder(folder: Path, count: int = 48, first: int = 0) -> pd.DataFrame:
    """Pictures in a folder for each class, and the table of their columns in another order."""
    rows = []
    for level in range(first, first + count):
        name = f"{CLASSES[level % 3]}/{level:03d}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(level)).save(folder / name)
        rows.append({"file_name": name, "level": level, "scanner": "AB"[level % 2]})
    return pd.DataFrame(rows[::-1])


def selected(source: ImageSource) -> tuple[torch.Tensor, pd.DataFrame]:
    """The grey levels of the pair's images, training before test, and the columns beside them."""
    train, test, _, columns = select_pair(source.load(), pair=PAIR, run=RUN)
    images = torch.cat([train["images"], test["images"]])
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().long(), columns


def assert_beside(levels: torch.Tensor, columns: pd.DataFrame) -> None:
    assert columns["pair_row"].tolist() == list(range(len(levels)))
    assert columns["level"].tolist() == levels.tolist()
    assert columns["scanner"].tolist() == ["AB"[level % 2] for level in levels.tolist()]


def test_metadata_of_a_folder_belong_to_their_images(tmp_path: Path) -> None:
    write_folder(tmp_path).to_csv(tmp_path / "metadata.csv", index=False)
    levels, columns = selected(ImageSource(kind="image_folder", path=str(tmp_path)))
    assert len(levels) == 32
    assert_beside(levels, columns)


def test_a_corrected_column_or_name_is_other_content(tmp_path: Path) -> None:
    table = write_folder(tmp_path)
    found = []
    for level in (7, 7, 8):
        table.loc[0, "level"] = level
        table.to_csv(tmp_path / "metadata.csv", index=False)
        found.append(digest_of_words(ImageSource(kind="image_folder", path=str(tmp_path)).load()))
    named = ImageSource(kind="image_folder", path=str(tmp_path), name="pets")
    found.append(digest_of_words(named.load()))
    assert found[0] == found[1]
    assert len(set(found)) == 3


@pytest.mark.parametrize("at_the_root", [False, True])
def test_metadata_of_train_and_test(tmp_path: Path, at_the_root: bool) -> None:
    tables = []
    for split, first in (("train", 0), ("test", 48)):
        table = write_folder(tmp_path / split, first=first)
        if at_the_root:
            tables.append(table.assign(file_name=f"{split}/" + table["file_name"]))
        else:
            table.to_csv(tmp_path / split / "metadata.csv", index=False)
    if at_the_root:
        pd.concat(tables).to_csv(tmp_path / "metadata.csv", index=False)
    levels, columns = selected(ImageSource(kind="image_folder", path=str(tmp_path)))
    assert len(levels) == 64
    assert_beside(levels, columns)


def test_image_without_a_row_has_missing_values_and_broken_files_take_theirs_along(
    tmp_path: Path,
) -> None:
    table = write_folder(tmp_path)
    table[table["level"] != 4].to_csv(tmp_path / "metadata.csv", index=False)
    (tmp_path / "dog" / "001.png").write_bytes(b"")
    source = ImageSource(kind="image_folder", path=str(tmp_path), broken="leave_out")
    levels, columns = selected(source)
    without = levels == 4
    assert without.sum() == 1
    assert columns["level"].isna().tolist() == without.tolist()
    assert columns["level"][~without.numpy()].tolist() == levels[~without].tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "file_name,age\ndog/nosuch.png,3\n",
            r"names 1 files that are not there \(dog/nosuch.png\)",
        ),
        ("file_name,age\ndog/001.png,3\ndog/001.png,4\n", "names a file twice"),
        ("name,age\ndog/001.png,3\n", "has the columns name, age, but 'file_name' is needed"),
        ("", "cannot be read"),
        ('file_name\n"', "cannot be read"),
    ],
)
def test_bad_metadata_are_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    write_folder(tmp_path)
    (tmp_path / "metadata.csv").write_text(content)
    with pytest.raises(DatasetError, match=words):
        ImageSource(kind="image_folder", path=str(tmp_path)).load()


def arrays(count: int = 48, first: int = 0) -> dict[str, np.ndarray]:
    numbers = np.arange(first, first + count)
    return {
        "images": np.stack([picture(level) for level in numbers]),
        "labels": np.array(CLASSES)[numbers % 3],
        "level": numbers,
        "scanner": np.array(list("AB"))[numbers % 2],
    }


@pytest.mark.parametrize("tests", [False, True])
def test_arrays_with_a_value_for_each_image_are_columns(tmp_path: Path, tests: bool) -> None:
    content = arrays()
    content["scanner"] = content["scanner"].astype(bytes)
    if tests:
        content |= {f"test_{name}": array for name, array in arrays(12, 48).items()}
    np.savez(tmp_path / "a.npz", **content, note=np.array(["short"]), matrix=np.eye(48))  # type: ignore[arg-type]
    levels, columns = selected(ImageSource(kind="arrays", path=str(tmp_path / "a.npz")))
    assert list(columns) == ["pair_row", "level", "scanner"]
    assert_beside(levels, columns)


def test_columns_can_be_chosen_and_must_be_there(tmp_path: Path) -> None:
    path = str(tmp_path / "a.npz")
    np.savez(path, **arrays(), age=np.arange(7))  # type: ignore[arg-type]
    _, columns = selected(ImageSource(kind="arrays", path=path, columns=["scanner"]))
    assert list(columns) == ["pair_row", "scanner"]
    _, columns = selected(ImageSource(kind="arrays", path=path, columns=[]))
    assert len(columns) == 0
    for name in ("age", "scaner"):
        with pytest.raises(DatasetError, match=f"source.columns names '{name}'.*level, scanner"):
            ImageSource(kind="arrays", path=path, columns=[name]).load()


def test_other_columns_of_a_hugging_face_set(tmp_path: Path) -> None:
    kinds: dict[str, Any] = {
        "picture": datasets.Image(),
        "animal": datasets.ClassLabel(names=list(CLASSES)),
        "level": datasets.Value("int64"),
        "scanner": datasets.Value("string"),
    }
    content = arrays()
    rows = {
        "picture": [Image.fromarray(image) for image in content["images"]],
        "animal": content["labels"].tolist(),
        "level": content["level"].tolist(),
        "scanner": content["scanner"].tolist(),
    }
    saved = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    saved.save_to_disk(tmp_path / "saved")
    levels, columns = selected(ImageSource(kind="hugging_face", path=str(tmp_path / "saved")))
    assert_beside(levels, columns)


def test_source_without_columns_has_an_empty_table() -> None:
    source = ImageSource(kind="mnist_sample")
    pair = PairParams(positive=7, negative=1, test_share=0.2)
    *_, columns = select_pair(source.load(), pair=pair, run=RUN)
    assert (list(columns), len(columns)) == (["pair_row"], 0)
