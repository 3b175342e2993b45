from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from kedro.io import DatasetError

from borderline.datasets import ImageSource
from borderline.datasets.idx_files import read_idx
from borderline.datasets.image_kinds import kind_of_images
from borderline.errors import BorderlineError
from conftest import FASHION, needs_fashion
from sources import write_idx


def test_mnist_sample_is_real_digits() -> None:
    source = ImageSource(kind="mnist_sample").load()
    images, labels = source.train["images"], source.train["labels"]
    assert images.shape == (5000, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [500] * 10
    assert source.test is None


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("shape", "expected"),
    [((30, 9, 9), (30, 1, 9, 9)), ((30, 9, 9, 3), (30, 3, 9, 9)), ((30, 3, 9, 9), (30, 3, 9, 9))],
)
def test_idx_folder_round_trip(
    tmp_path: Path, suffix: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.arange(30) % 3
    write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", pixels)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", labels)
    source = ImageSource(kind="idx", path=str(tmp_path), classes=["a", "b", "c"]).load()
    images = source.train["images"]
    assert images.shape == expected
    back = ((images + 1) * 127.5).round().numpy().astype(np.uint8)
    assert (back.squeeze() == (np.moveaxis(pixels, -1, 1) if shape[-1] == 3 else pixels)).all()
    assert source.train["labels"].tolist() == labels.tolist()
    assert source.test is None
    assert source.label_of("b", "pair.positive") == source.label_of(1, "pair.positive") == 1


@pytest.mark.parametrize("beside", [False, True])
def test_idx_files_in_folders_of_their_names(tmp_path: Path, beside: bool) -> None:
    arrays = {"images-idx3-ubyte": np.full((10, 8, 8), 255), "labels-idx1-ubyte": np.arange(10) % 2}
    for name, array in arrays.items():
        (tmp_path / f"train-{name}").mkdir()
        write_idx(tmp_path / f"train-{name}" / f"train-{name}", 0 * array if beside else array)
        (tmp_path / f"train-{name}" / "._other").touch()
        if beside:
            write_idx(tmp_path / f"train-{name.replace('-', '.', 1)}", array)
    assert kind_of_images(str(tmp_path)) == "idx"
    source = ImageSource(kind="idx", path=str(tmp_path)).load()
    assert source.train["images"].unique().tolist() == [1]
    assert source.train["labels"].tolist() == [0, 1] * 5


def test_idx_test_set_is_kept_apart(tmp_path: Path) -> None:
    for part, count in (("train", 30), ("t10k", 10)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((count, 8, 8)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count) % 2)
    source = ImageSource(kind="idx", path=str(tmp_path)).load()
    assert source.test is not None
    assert (len(source.train["labels"]), len(source.test["labels"])) == (30, 10)


def test_classes_that_fall_short_of_the_labels(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((4, 8, 8)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(4))
    with pytest.raises(DatasetError, match=r"source\.classes names 2 classes"):
        ImageSource(kind="idx", path=str(tmp_path), classes=["a", "b"]).load()
    with pytest.raises(DatasetError, match=r"source\.classes names 'a' twice"):
        ImageSource(kind="idx", path=str(tmp_path), classes=["a", "b", "a", "c"]).load()


def test_other_source_serves_where_the_folder_is_missing(tmp_path: Path) -> None:
    source = ImageSource(
        kind="idx", path=str(tmp_path / "none"), otherwise={"kind": "mnist_sample"}
    ).load()
    assert source.name == "mnist_sample"


def test_too_long_file_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.arange(6).reshape(2, 3))
    assert read_idx(tmp_path / "x").tolist() == [[0, 1, 2], [3, 4, 5]]
    with (tmp_path / "x").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BorderlineError, match="damaged"):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize(("name", "colour"), [("KMNIST", False), ("CIFAR10", True)])
def test_torchvision_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, colour: bool
) -> None:
    downloads = []

    def dataset(root: str, train: bool, download: bool) -> SimpleNamespace:
        downloads.append((root, train, download))
        count = 20 if train else 10
        if colour:  # CIFAR10 keeps NumPy arrays and lists, MNIST and its kin tensors.
            return SimpleNamespace(
                data=np.full((count, 32, 32, 3), 255, np.uint8),
                targets=[0, 1] * (count // 2),
                classes=["plane", "car"],
            )
        return SimpleNamespace(
            data=torch.full((count, 28, 28), 255, dtype=torch.uint8),
            targets=torch.arange(count) % 2,
            classes=["o", "ki"],
        )

    monkeypatch.setattr(torchvision.datasets, name, dataset)
    source = ImageSource(kind="torchvision", name=name, path=str(tmp_path)).load()
    assert source.train["images"].shape == ((20, 3, 32, 32) if colour else (20, 1, 28, 28))
    assert source.train["images"].unique().tolist() == [1]
    assert source.test is not None
    assert downloads == [(str(tmp_path), True, True), (str(tmp_path), False, True)]


@pytest.mark.parametrize(
    ("name", "words"), [("MNIST", "'idx'"), ("CIFAR10", r"'cifar10' .*kriz/cifar.html, unpacked\)")]
)
def test_failed_download_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    def offline(**_: object) -> None:
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(torchvision.datasets, name, offline)
    with pytest.raises(DatasetError, match=rf"to the internet, or set source\.kind to {words}"):
        ImageSource(kind="torchvision", name=name, path=str(tmp_path)).load()


@needs_fashion
def test_real_fashion_mnist() -> None:
    source = ImageSource(kind="idx", path=str(FASHION)).load()
    assert source.test is not None
    assert source.train["images"].shape == (60_000, 1, 28, 28)
    assert source.train["labels"].bincount().tolist() == [6000] * 10
    assert source.test["labels"].bincount().tolist() == [1000] * 10
