"""Tables of paths and labels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from PIL import Image

from borderline.datasets import ImageSource
from borderline.datasets.image_kinds import kind_of_images
from borderline.datasets.image_source import SourceImages
from sources import levels

LABELS = ["01", "1", "NA", "01"]


def write_images(folder: Path, count: int = 4) -> list[str]:
    """Images whose grey levels are their numbers."""
    folder.mkdir(exist_ok=True)
    names = [f"{level}.png" for level in range(count)]
    for level, name in enumerate(names):
        Image.fromarray(np.full((8, 8), level, np.uint8)).save(folder / name)
    return names


def save(table: pd.DataFrame, file: Path) -> Path:
    match file.suffix:
        case ".parquet":
            table.to_parquet(file)
        case ".jsonl":
            table.to_json(file, orient="records", lines=True)
        case _:
            table.to_csv(file, index=False, sep="\t" if file.suffix == ".tsv" else ",")
    return file


def load(file: Path | str, **settings: Any) -> SourceImages:
    return ImageSource(kind="table", path=str(file), **settings).load()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_table_of_paths_labels_and_other_columns(tmp_path: Path, suffix: str) -> None:
    names = [f"images/{name}" for name in write_images(tmp_path / "images")]
    table = pd.DataFrame({"path": names, "label": LABELS, "age": [5, 6, 7, 8], "s": list("abcd")})
    file = save(table[::-1], tmp_path / f"own{suffix}")
    assert kind_of_images(str(file)) == "table"
    source = load(file)
    assert source.classes == ("01", "1", "NA")
    assert levels(source) == [("01", 3), ("NA", 2), ("1", 1), ("01", 0)]
    assert source.train_columns is not None
    assert source.train_columns.to_dict("list") == {"age": [8, 7, 6, 5], "s": list("dcba")}
    assert source.label_of("01", "pair.positive") == 0


def test_columns_and_folder_can_be_named(tmp_path: Path) -> None:
    table = pd.DataFrame({"Where": write_images(tmp_path / "images"), "path": 1, "kind": LABELS})
    file = save(table, tmp_path / "own.csv")
    names = {"file_column": "Where", "label_column": "kind", "folder": str(tmp_path / "images")}
    assert levels(load(file, **names))[0] == ("01", 0)
    with pytest.raises(DatasetError, match=r"label_column is 'kin' \(did you mean 'kind'\?\)"):
        load(file, **{**names, "label_column": "kin"})
    with pytest.raises(DatasetError, match=r"source\.label_column is missing.*Where, path, kind"):
        load(file)
    save(table.rename(columns={"Where": "file_name"}), file)
    with pytest.raises(DatasetError, match=r"file_column is missing.*file_name, path, which fit"):
        load(file)


@pytest.mark.parametrize("given", [None, "fold"])
def test_split_column(tmp_path: Path, given: str | None) -> None:
    table = pd.DataFrame({"file": write_images(tmp_path, 8), "label": ["a", "b"] * 4})
    table["fold"] = ["train"] * 4 + ["Val"] * 2 + ["test"] * 2
    source = load(save(table, tmp_path / "own.csv"), split_column=given)
    assert source.train["validation"].tolist() == [False] * 4 + [True] * 2
    assert source.test is not None
    assert source.test["labels"].tolist() == [0, 1]
    assert source.train_columns is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"split": ["train", "train", "train", "extra"]}, "'split' of .* holds 'extra'"),
        ({"part": ["val", "test", "val", "test"]}, "'part' of .* names no training images"),
        ({"fold": "train", "part": ["train"] * 3 + ["test"]}, "fold, part of .* all name training"),
        ({"label": [0.5, 1, 0, 1]}, "holds the label 0.5, but labels are names or whole"),
        ({"file": ["0.png", "1.png", "0.png", "2.png"]}, "names the file 0.png twice"),
        ({"file": ["0.png", "1.png", "./0.png", "2.png"]}, "names the file ./0.png twice"),
        ({"file": ["0", "1", "2", "3"]}, r"without their suffix \(0, but the file is 0.png"),
        ({"file": [f"lost/{i}.png" for i in range(4)]}, "none of them is in .*source.folder"),
        ({"file": ["0.png", "1.png", "2.png", "x.png"]}, r"1 of 4.*x.png \(there is no such file"),
        ({"file": ["0.png", "1.png", "2.png", "pipe.png"]}, r"1 of 4.*pipe.png \(there is no"),
        ({"file": []}, "holds no rows"),
        ({"label": ["a", "", "b", "b"]}, r"1 of 4.*1.png \(it has no label\)"),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    table = pd.DataFrame({"file": write_images(tmp_path), "label": ["a", "b", "a", "b"]})
    os.mkfifo(tmp_path / "pipe.png")
    table = table[:0] if changed == {"file": []} else table.assign(**changed)
    with pytest.raises(DatasetError, match=words):
        load(save(table, tmp_path / "own.csv"))


@pytest.mark.parametrize("content", ["", 'file,label\n"', "\xe9,label\n", "file,label\na,b,c\n"])
def test_file_that_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "own.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(DatasetError, match=r"own.csv'.* cannot be read"):
        load(tmp_path / "own.csv")


def test_rows_without_label_are_left_out(tmp_path: Path) -> None:
    rows = zip(write_images(tmp_path), ["a", None, "b", "b"], strict=True)
    lines = [json.dumps({"file": name, "label": label, "boxes": [[1, 2]]}) for name, label in rows]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    source = load(tmp_path / "own.jsonl", broken="leave_out")
    assert levels(source) == [("a", 0), ("b", 2), ("b", 3)]
    assert source.train_columns is None


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([1.0, 0.0, 10.0, 2.0], None, ["0", "1", "2", "10"]),
        ([1, 0, 1, 0], ["cat", "dog"], ["cat", "dog"]),
        (["b", "a", "c", "b"], ["c", "b"], ["c", "b"]),
    ],
)
def test_classes_of_a_table(
    tmp_path: Path, labels: list[Any], classes: list[str] | None, expected: list[str]
) -> None:
    table = pd.DataFrame({"file": write_images(tmp_path), "label": labels})
    source = load(save(table, tmp_path / "own.csv"), classes=classes)
    assert list(source.classes) == expected
    named = {**dict.fromkeys(labels, None), 1: "dog", 0: "cat"} if classes == ["cat", "dog"] else {}
    first = named.get(labels[0]) or str(labels[0]).removesuffix(".0")
    assert levels(source)[0] == (first, 0)


def test_absolute_paths_those_of_windows_and_labels_of_test_images_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, *_ = write_images(tmp_path / "in")
    rows = [f"{tmp_path}/in/{first};a;train", f"in\\{second};b;train", "in/2.png;a;test"]
    text = "\n".join(["\ufefffile;label;split", *rows, "in/3.png;c;test"])
    (tmp_path / "own.csv").write_text(text)
    source = load(tmp_path / "own.csv")
    assert levels(source) == [("a", 0), ("b", 1)]
    assert source.test is not None
    assert source.test["labels"].tolist() == [0]
    assert "1 images of" in caplog.text


def test_table_in_a_bucket(tmp_path: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/tables/own.csv", b"file,label\nin/1.png,a\nin/2.png,b")
    for name in write_images(tmp_path):
        fs.pipe_file(f"/tables/in/{name}", (tmp_path / name).read_bytes())
    assert levels(load("memory://tables/own.csv")) == [("a", 1), ("b", 2)]
