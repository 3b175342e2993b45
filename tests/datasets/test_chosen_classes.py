"""``source.classes`` chooses and orders classes: no image changes its class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

import datasets
from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages
from sources import write_idx

OWN = ["cat", "dog", "emu"]
LABELS = [0, 1, 2, 0, 1, 2]
GREY = [50, 100, 150, 50, 100, 150]
PIXELS = np.stack([np.full((8, 8), grey, np.uint8) for grey in GREY])


def as_arrays(folder: Path) -> dict[str, Any]:
    np.savez(folder / "x.npz", images=PIXELS, labels=np.array(OWN)[LABELS], rows=np.arange(6))
    return {"kind": "arrays", "path": str(folder / "x.npz")}


def as_hugging_face(folder: Path) -> dict[str, Any]:
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=OWN)}
    rows = {"image": [Image.fromarray(image) for image in PIXELS], "label": LABELS}
    saved = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    saved.save_to_disk(folder / "saved")
    return {"kind": "hugging_face", "path": str(folder / "saved")}


def as_folders(folder: Path) -> dict[str, Any]:
    for row, (label, pixels) in enumerate(zip(LABELS, PIXELS, strict=True)):
        (folder / OWN[label]).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / OWN[label] / f"{row}.png")
    return {"kind": "image_folder", "path": str(folder)}


def as_table(folder: Path) -> dict[str, Any]:
    as_folders(folder)
    lines = [f"{OWN[label]}/{row}.png,{OWN[label]}" for row, label in enumerate(LABELS)]
    (folder / "t.csv").write_text("\n".join(["file_name,label", *lines]))
    return {"kind": "table", "path": str(folder / "t.csv")}


KINDS = [as_arrays, as_hugging_face, as_folders, as_table]


def greys(source: SourceImages) -> dict[str, set[int]]:
    """The grey levels of each class."""
    images, labels = source.train["images"], source.train["labels"]
    return {
        name: {round((float(image.mean()) + 1) * 127.5) for image in images[labels == label]}
        for label, name in enumerate(source.classes)
    }


@pytest.mark.parametrize("write", KINDS)
@pytest.mark.parametrize("classes", [None, ["emu", "cat", "dog"], ["dog", "cat"]])
def test_each_class_keeps_its_images(write: Any, classes: list[str] | None, tmp_path: Path) -> None:
    source = ImageSource(**write(tmp_path), classes=classes).load()
    assert source.classes == tuple(classes or OWN)
    levels = {"cat": {50}, "dog": {100}, "emu": {150}}
    assert greys(source) == {name: levels[name] for name in source.classes}


@pytest.mark.parametrize("write", KINDS)
def test_unknown_name_is_refused(write: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'fox'.*source\.classes|source\.classes.*'fox'"):
        ImageSource(**write(tmp_path), classes=["cat", "fox"]).load()


def test_columns_stay_beside_their_images(tmp_path: Path) -> None:
    source = ImageSource(**as_arrays(tmp_path), classes=["dog", "emu"]).load()
    assert source.train_columns is not None
    assert source.train_columns["rows"].tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["a", "b", "c"], {"a": {50}, "b": {100}, "c": {150}}),
        (["0", "b", "c"], {"0": {50}, "b": {100}, "c": {150}}),
        (["2", "0", "1"], {"2": {150}, "0": {50}, "1": {100}}),
        (["2", "0"], {"2": {150}, "0": {50}}),
    ],
)
def test_names_of_numbers(
    tmp_path: Path, classes: list[str], expected: dict[str, set[int]]
) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array(LABELS))
    assert greys(ImageSource(kind="idx", path=str(tmp_path), classes=classes).load()) == expected


@pytest.mark.parametrize("labels", [np.array(["cat", "eel"]), np.array([0, 2])])
def test_test_images_of_an_unknown_class(tmp_path: Path, labels: np.ndarray) -> None:
    of_train = np.array(OWN[:2]) if labels.dtype.kind == "U" else np.array([0, 1])
    np.savez(
        tmp_path / "x.npz",
        images=PIXELS[:2],
        labels=of_train,
        test_images=PIXELS[:2],
        test_labels=labels,
    )
    with pytest.raises(DatasetError, match=r"The test images of .* have the label ('eel'|2)"):
        ImageSource(kind="arrays", path=str(tmp_path / "x.npz")).load()


def test_splits_may_number_the_classes_otherwise(tmp_path: Path) -> None:
    parts = {}
    for split, names in {"train": ["cat", "dog"], "test": ["dog", "cat"]}.items():
        features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
        rows = {
            "image": [Image.fromarray(image) for image in PIXELS[:2]],
            "label": [names.index("cat"), names.index("dog")],
        }
        parts[split] = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    source = ImageSource(kind="hugging_face", path=str(tmp_path / "saved")).load()
    assert source.test is not None
    assert source.train["labels"].tolist() == source.test["labels"].tolist() == [0, 1]


def as_splits(folder: Path, **features: Any) -> dict[str, Any]:
    """A Hugging Face dataset whose splits have rows with the labels 0 and 1."""
    parts = {}
    for split, feature in features.items():
        columns = {"image": datasets.Image(), "label": feature}
        rows = {"image": [Image.fromarray(image) for image in PIXELS[:2]], "label": [0, 1]}
        parts[split] = datasets.Dataset.from_dict(rows, features=datasets.Features(columns))
    datasets.DatasetDict(parts).save_to_disk(folder / "saved")
    return {"kind": "hugging_face", "path": str(folder / "saved")}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        (["cat", "dog"], ["dog", "cat"], None),
        (None, ["cat", "dog"], ["cat", "dog"]),
        (["cat", "dog"], ["cat", "dog"], 2),
    ],
)
def test_splits_without_names_have_the_numbers_of_the_training_rows(
    tmp_path: Path, train: Any, validation: Any, test: Any
) -> None:
    def feature(names: Any) -> Any:
        if names is None:
            return datasets.Value("int64")
        return datasets.ClassLabel(**{"num_classes" if names == 2 else "names": names})

    parts = {"train": feature(train), "validation": feature(validation), "test": feature(test)}
    source = ImageSource(**as_splits(tmp_path, **parts)).load()
    assert source.test is not None
    assert source.test["labels"].tolist() == [0, 1]
    swapped = validation == ["dog", "cat"]
    assert source.train["labels"].tolist() == [0, 1, *([1, 0] if swapped else [0, 1])]


def of_labels(folder: Path, **labels: list[Any]) -> dict[str, Any]:
    """Arrays of images with these labels by split."""
    arrays = {}
    for split, values in labels.items():
        prefix = "" if split == "train" else f"{split}_"
        arrays[f"{prefix}labels"] = np.array(values)
        arrays[f"{prefix}images"] = PIXELS[: len(values)]
    np.savez(folder / "x.npz", **arrays)
    return {"kind": "arrays", "path": str(folder / "x.npz")}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ({"train": ["a", "b", "c"], "val": ["a", "b"], "test": ["b", "d"]}, ["b", "a"]),
        ({"train": [0, 1, 2], "val": [0, 1], "test": [1, 3]}, ["1", "0"]),
    ],
)
def test_images_of_classes_that_are_left_out_are_not_checked(
    tmp_path: Path, labels: dict[str, list[Any]], classes: list[str]
) -> None:
    source = ImageSource(**of_labels(tmp_path, **labels), classes=classes).load()
    assert source.test is not None
    assert source.train["labels"].tolist() == [1, 0, 1, 0]
    assert source.test["labels"].tolist() == [0]


def test_label_of_test_images_alone_can_have_a_name(tmp_path: Path) -> None:
    source = of_labels(tmp_path, train=[0, 1, 2], test=[0, 3])
    loaded = ImageSource(**source, classes=["a", "b", "c", "d"]).load()
    assert loaded.test is not None
    assert loaded.test["labels"].tolist() == [0, 3]


@pytest.mark.parametrize(
    ("labels", "classes", "sentence"),
    [
        ({"train": ["a", "b"], "test": ["c"]}, ["b", "a"], "show none of the classes b, a: add"),
        ({"train": ["a", "b"], "val": ["b"]}, None, "show no image of the classes a: add some"),
        ({"train": [0, 1], "test": ["b"]}, None, r"have names as labels \('b'\), but the training"),
        ({"train": ["1", "2"]}, ["a", "b"], r"labels .* \(1, 2\): .* 3 classes, .* labels 0 to 2"),
    ],
)
def test_labels_that_do_not_fit(
    tmp_path: Path, labels: dict[str, list[Any]], classes: list[str] | None, sentence: str
) -> None:
    with pytest.raises(DatasetError, match=sentence):
        ImageSource(**of_labels(tmp_path, **labels), classes=classes).load()
