"""Layouts of folders: splits, sites, links, hidden files, and files that are not read."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from PIL import Image

from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages
from sources import levels


def write(folder: Path, names: Iterable[str], first: int = 0) -> None:
    """Images whose grey levels are their numbers, from ``first`` on; other files are empty."""
    for level, name in enumerate(names, first):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            Image.fromarray(np.full((8, 8), level, np.uint8)).save(path)
        else:
            path.touch()


def load(path: Path | str, /, **settings: Any) -> SourceImages:
    return ImageSource(kind="image_folder", path=str(path), **settings).load()


HIDDEN = [".ipynb_checkpoints/a.png", "__MACOSX/a.png", "@eaDir/a.png", ".a.png", "Thumbs.db"]


def test_hidden_files_and_those_of_systems_are_skipped_at_each_level(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, ["cat/a.png", "cat/deep/b.png", "dog/c.png"])
    for place in ("", "cat", "cat/deep"):
        write(tmp_path / place, HIDDEN, 50)
    with caplog.at_level(logging.INFO):
        assert levels(load(tmp_path)) == [("cat", 0), ("cat", 1), ("dog", 2)]
        assert not [record for record in caplog.records if "scale" not in record.name]


def test_links_are_followed_without_circles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "pool", ["dogs/b.png", "c.png"], 1)
    write(tmp_path / "own", ["cat/a.png", "cat/deep/d.png"])
    (tmp_path / "own/dog").symlink_to(tmp_path / "pool/dogs")
    (tmp_path / "own/cat/c.png").symlink_to("../../pool/c.png")
    for circle, above in (("up", ".."), ("deep/up", ".."), ("deep/far", tmp_path.parent)):
        (tmp_path / "own/cat" / circle).symlink_to(above)
    (tmp_path / "own/cat/again").symlink_to("deep")
    with pytest.raises(DatasetError, match=r"2 of 4 images.*outside of .*own;.*source\.folder"):
        load(tmp_path / "own")
    caplog.clear()
    source = load(tmp_path / "own", folder=str(tmp_path / "pool"))
    assert levels(source) == [("cat", 0), ("cat", 1), ("cat", 2), ("dog", 1)]
    assert caplog.text.count("a link to a folder above it") == 3


def test_link_to_nothing_cannot_be_read_and_a_pipe_is_not_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, ["cat/a.png", "dog/b.png"])
    os.mkfifo(tmp_path / "cat/pipe.png")
    load(tmp_path)
    assert "1 file of .png was not read" in caplog.text
    (tmp_path / "cat/nothing.png").symlink_to("nowhere.png")
    with pytest.raises(DatasetError, match=r"1 of 3 images.*cat/nothing.png"):
        load(tmp_path)


def test_folder_that_two_classes_share_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ["cat/a.png"])
    (tmp_path / "dog").symlink_to("cat")
    with pytest.raises(DatasetError, match="dog is the same as one of cat"):
        load(tmp_path)


def test_files_of_other_formats_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, ["cat/a.png", "cat/b.png", "cat/c.HEIC", "cat/d.heic", "dog/a.png", "c.png"])
    write(tmp_path, ["cat/notes.txt", "cat/e.txt", "cat/f.txt"])
    load(tmp_path)
    assert "3 files of .txt, 2 files of .heic were not read in" in caplog.text
    assert "1 images in" in caplog.text
    write(tmp_path, ["cat/e.heic"])
    with pytest.raises(DatasetError, match=r"3 files of .heic were not read in .*more than its 2"):
        load(tmp_path)
    assert len(levels(load(tmp_path, broken="leave_out"))) == 3


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_folder_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    places = ["Train/cat/a.png", "Train/dog/a.png", f"{name}/cat/a.png", f"{name}/dog/a.png"]
    write(tmp_path, [*places, "unlabelled/x.png"])
    source = load(tmp_path)
    assert levels(source) == [("cat", 0), ("dog", 1), ("cat", 2), ("dog", 3)]
    assert source.train["validation"].tolist() == [False, False, True, True]
    assert source.test is None
    assert "has validation images but no test images" in caplog.text
    assert "Not read, because they are beside Train: ['unlabelled'] in" in caplog.text


@pytest.mark.parametrize(
    ("folders", "settings", "classes"),
    [
        (["train", "bus", "car"], {}, ("bus", "car", "train")),
        (["train", "test", "bus"], {}, ("bus", "test", "train")),
        (["test", "control"], {}, ("control", "test")),
        (["train/bus", "train/train"], {}, ("bus", "train")),
        (["train/a", "train/b", "test/a", "test/b", "other"], {}, ("a", "b")),
        (["train/a", "train/b", "bus"], {"classes": ["train", "bus"]}, ("train", "bus")),
        (["train/a", "train/b", "bus"], {"classes": ["b", "a"]}, ("b", "a")),
        (["train", "test"], {"classes": ["test", "train"]}, ("test", "train")),
        (["__other__", "cat"], {}, ("__other__", "cat")),
    ],
)
def test_folders_are_splits_or_classes(
    tmp_path: Path, folders: list[str], settings: dict[str, Any], classes: tuple[str, ...]
) -> None:
    write(tmp_path, [f"{folder}/a.png" for folder in folders])
    assert load(tmp_path, **settings).classes == classes


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["train/a", "train/b", "bus"], "'train' may be a class like 'bus'"),
        (["train", "test"], "hold images but no folders of classes"),
        (["test/a", "test/b", "val/a", "val/b"], "no 'train'"),
        (["train/a", "train/b", "val/a", "valid/a"], "both 'val' and 'valid'"),
        (["A/train", "A/test", "B/train", "B/test"], "put the splits outside, such as train/A"),
        (["A/cat", "A/dog", "B/cat", "B/dog"], r"source.levels to \[class\].*\[site, class\]"),
    ],
)
def test_folders_that_do_not_decide_are_refused(
    tmp_path: Path, folders: list[str], words: str
) -> None:
    write(tmp_path, [f"{folder}/a.png" for folder in folders])
    with pytest.raises(DatasetError, match=words):
        load(tmp_path)


SITES = ["A/cat/1.png", "A/dog/2.png", "B/cat/3.png", "B/dog/4.png"]


@pytest.mark.parametrize("settings", [{"levels": ["site", "class"]}, {"classes": ["cat", "dog"]}])
@pytest.mark.parametrize("split", [False, True])
def test_sites_are_a_column(tmp_path: Path, settings: dict[str, Any], split: bool) -> None:
    write(tmp_path / ("train" if split else ""), SITES)
    if split:
        write(tmp_path / "test", SITES)
    source = load(tmp_path, **settings)
    assert levels(source) == [("cat", 0), ("cat", 2), ("dog", 1), ("dog", 3)]
    assert source.train_columns is not None
    assert source.train_columns["site"].tolist() == ["A", "B", "A", "B"]


def test_levels_say_which_folders_are_classes(tmp_path: Path) -> None:
    write(tmp_path, SITES)
    source = load(tmp_path, levels=["class", "animal"])
    assert source.classes == ("A", "B")
    assert source.train_columns is not None
    assert source.train_columns["animal"].tolist() == ["cat", "dog", "cat", "dog"]
    assert load(tmp_path, levels=["class"]).train_columns is None
    with pytest.raises(DatasetError, match=r"no folders as deep as that"):
        load(tmp_path, levels=["site", "class", "patient"])
    write(tmp_path, ["B/emu/5.png"])
    with pytest.raises(DatasetError, match=r"A in .* holds the classes cat, dog and all together"):
        load(tmp_path, levels=["site", "class"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("place", ["", "train", "images"])
def test_labels_of_a_metadata_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, place: str
) -> None:
    write(tmp_path / place, ["a.png", "b.png", "c.png", "d.png"])
    base, prefix = (tmp_path, "images/") if place == "images" else (tmp_path / place, "")
    table = pd.DataFrame(
        {"file_name": ["c.png", "a.png", "b.png"], "label": ["01", "2", "2"], "age": [3, 1, 2]}
    )
    table["file_name"] = f"./{prefix}" + table["file_name"]
    file = base / f"metadata.{suffix}"
    if suffix == "csv":
        table.to_csv(file, index=False)
    elif suffix == "jsonl":
        table.to_json(file, orient="records", lines=True)
    else:
        table.to_parquet(file)
    source = load(tmp_path)
    assert levels(source) == [("01", 2), ("2", 0), ("2", 1)]
    assert source.train_columns is not None
    assert source.train_columns["age"].tolist() == [3, 1, 2]
    assert list(source.train_columns) == ["age"]
    assert "1 images in" in caplog.text


def test_splits_of_a_metadata_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["a.png", "b.png", "c.png", "d.png"]
    write(tmp_path, names)
    table = pd.DataFrame({"file_name": names, "label": list("xyxy"), "split": ["train"] * 4})
    table.loc[2:, "split"] = "test"
    table.to_csv(tmp_path / "metadata.csv", index=False)
    source = load(tmp_path)
    assert levels(source) == [("x", 0), ("y", 1)]
    assert source.test is not None
    write(tmp_path, [f"x/{name}" for name in names])
    write(tmp_path, [f"y/{name}" for name in names])
    table.assign(file_name="x/" + table["file_name"]).drop(columns="label").to_csv(
        tmp_path / "metadata.csv", index=False
    )
    load(tmp_path)
    assert "Not used to split" in caplog.text


def test_split_without_labels_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split, ["a.png", "b.png"])
    text = "file_name,label\na.png,x\nb.png,y\n"
    (tmp_path / "train/metadata.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"no table labels the images in .*test: add"):
        load(tmp_path)


def test_label_column_beside_folders_of_classes(tmp_path: Path) -> None:
    write(tmp_path, ["x/a.png", "x/b.png", "y/c.png"])
    table = pd.DataFrame({"file_name": ["x/a.png", "x/b.png", "y/c.png"], "label": [0, 0, 1]})
    table.to_csv(tmp_path / "metadata.csv", index=False)
    source = load(tmp_path)
    assert source.classes == ("x", "y")
    assert source.train_columns is not None
    assert source.train_columns["label"].tolist() == [0, 0, 1]
    table.assign(label=[0, 1, 1]).to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(DatasetError, match=r"set source\.label_column to 'label', or"):
        load(tmp_path)
    assert levels(load(tmp_path, label_column="label")) == [("0", 0), ("1", 1), ("1", 2)]
    assert load(tmp_path, levels=["class"]).classes == ("x", "y")


def test_layouts_in_a_bucket(caplog: pytest.LogCaptureFixture) -> None:
    fs = fsspec.filesystem("memory")
    names = [f"{split}/{name}" for split in ("train", "val", "test") for name in SITES]
    for name in [*names, "train/A/cat/.cache/x.png", "train/A/cat/x.heic"]:
        with fs.open(f"/levels/{name}", "wb") as file:
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "PNG")
    source = load("memory://levels", levels=["site", "class"])
    assert (len(source.train["labels"]), int(source.train["validation"].sum())) == (8, 4)
    assert source.test is not None
    assert len(source.test["labels"]) == 4
    assert "1 file of .heic was not read" in caplog.text
