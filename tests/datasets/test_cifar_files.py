"""CIFAR-10 in both formats of its authors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError

from borderline.datasets import ImageSource
from borderline.datasets.image_kinds import kind_of_images
from borderline.errors import BorderlineError

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def write(folder: Path, version: str) -> dict[str, tuple[np.ndarray, list[int]]]:
    """Twelve images a file, as the archives have them."""
    home = folder / f"cifar-10-batches-{version}"
    home.mkdir(parents=True)
    random, content = np.random.default_rng(0), {}
    for name in BATCHES:
        pixels, labels = random.integers(0, 256, (12, 3072), np.uint8), [3, 5] * 6
        content[name] = pixels, labels
        if version == "bin":
            rows = np.concatenate([np.array(labels, np.uint8)[:, None], pixels], axis=1)
            (home / f"{name}.bin").write_bytes(rows.tobytes())
        else:
            batch = {"batch_label": name, "data": pixels, "labels": labels, "filenames": ["a"] * 12}
            (home / name).write_bytes(pickle.dumps(batch, protocol=2))
    if version == "bin":
        (home / "batches.meta.txt").write_text("\n".join([*NAMES, "", ""]))
    else:
        (home / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}, protocol=2))
    return content


@pytest.mark.parametrize("version", ["bin", "py"])
@pytest.mark.parametrize("inside", [True, False])
def test_reads_the_files_of_the_authors(tmp_path: Path, version: str, inside: bool) -> None:
    content = write(tmp_path, version)
    path = tmp_path / f"cifar-10-batches-{version}" if inside else tmp_path
    assert kind_of_images(str(path)) == "cifar10"
    source = ImageSource(kind="cifar10", path=str(path), name="CIFAR-10").load()
    assert source.classes == tuple(NAMES)
    assert source.test is not None
    assert source.train["images"].shape == (60, 3, 32, 32)
    assert source.test["labels"].tolist() == [3, 5] * 6
    pixels = ((source.train["images"][12:24] + 1) * 127.5).round().numpy().astype(np.uint8)
    assert np.array_equal(pixels, content["data_batch_2"][0].reshape(12, 3, 32, 32))


def _harmful(folder: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (folder / "ran",)

    (folder / "cifar-10-batches-py/data_batch_3").write_bytes(pickle.dumps(Harmful()))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "cifar-10-batches-py/data_batch_2").unlink(), "data_batch_2 is missing"),
        (lambda f: (f / "cifar-10-batches-py/test_batch").write_bytes(b"x"), "test_batch is dam"),
        (lambda f: (f / "cifar-10-batches-py/batches.meta").unlink(), "no names of the classes"),
        (
            lambda f: (f / "cifar-10-batches-py/test_batch").unlink(),
            "no CIFAR-10 is there .*unpack",
        ),
        (_harmful, r"data_batch_3 is damaged \(it names pathlib"),
    ],
)
def test_refuses_what_is_missing_damaged_or_code(tmp_path: Path, spoil: Any, words: str) -> None:
    write(tmp_path, "py")
    spoil(tmp_path)
    with pytest.raises((BorderlineError, DatasetError), match=words):
        ImageSource(kind="cifar10", path=str(tmp_path)).load()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("images", [0, 6])
def test_refuses_a_file_without_its_last_images(tmp_path: Path, images: int) -> None:
    write(tmp_path, "bin")
    file = tmp_path / "cifar-10-batches-bin/data_batch_4.bin"
    file.write_bytes(file.read_bytes()[: images * 3073])
    words = rf"data_batch_4\.bin has {images} images, but another"
    with pytest.raises((BorderlineError, DatasetError), match=words):
        ImageSource(kind="cifar10", path=str(tmp_path)).load()
