"""CIFAR-10 in the files of its authors (Krizhevsky 2009): the binary or the Python version."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from fsspec.implementations.local import LocalFileSystem

from borderline.datasets.arrays import Arrays, ImageArrays
from borderline.datasets.reading import read_regular
from borderline.errors import BorderlineError

_SHAPE = (3, 32, 32)
_TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = "test_batch"
# The folders in the archives of the authors, which torchvision keeps too.
_FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")
_OF_ARRAYS = {
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *(("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")),
}
_MOST_BYTES = 2**26  # twice a file of the authors
_AGAIN = "unpack CIFAR-10 again"


def read_cifar10(folder: Path) -> ImageArrays:
    """Read the training and test images of a folder, or of the authors' folder in it.

    Raises:
        BorderlineError: When a file is missing or damaged, or has fewer images than the others.
    """
    home, suffix = _home(folder)
    *train, test = (_batch(home / f"{name}{suffix}") for name in (*_TRAINING, _TEST))
    sizes = [len(labels) for _, labels in (*train, test)]
    if min(sizes) < max(sizes):
        # Each binary file without its last images looks whole.
        short = (*_TRAINING, _TEST)[sizes.index(min(sizes))]
        raise BorderlineError(
            f"{home / short}{suffix} has {min(sizes)} images, but another file of CIFAR-10 has "
            f"{max(sizes)}, and all have the same number: {_AGAIN}."
        )
    pixels, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    classes = _classes(home / ("batches.meta.txt" if suffix else "batches.meta"))
    return classes, Arrays(pixels, labels), Arrays(*test)


def _home(folder: Path) -> tuple[Path, str]:
    for place in (folder / name for name in _FOLDERS):
        for suffix in (".bin", ""):
            if (place / f"{_TEST}{suffix}").is_file():
                return place, suffix
    raise BorderlineError(
        f"source.path is {str(folder)!r}, but no CIFAR-10 is there (test_batch.bin or test_batch): "
        "unpack cifar-10-binary.tar.gz or cifar-10-python.tar.gz of "
        "https://www.cs.toronto.edu/~kriz/cifar.html there."
    )


def _batch(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The images (N, 3, 32, 32) and labels (N,) of a file."""
    try:
        if path.suffix:
            # Each row is a byte with the label, then the pixels.
            rows = np.frombuffer(_content(path), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
            pixels, labels = rows[:, 1:], rows[:, 0].astype(np.int64)
        else:
            batch = _plain(path)
            pixels, labels = batch["data"], np.asarray(batch["labels"], np.int64)
        if pixels.dtype != np.uint8 or not set(labels.tolist()) <= set(range(10)):
            raise ValueError("its pixels are no bytes, or its labels are not 0 to 9")
        return pixels.reshape(len(labels), *_SHAPE), labels
    except FileNotFoundError:
        raise BorderlineError(f"{path} is missing: {_AGAIN}.") from None
    # A damaged pickle raises errors of many types.
    except Exception as error:
        raise BorderlineError(
            f"{path} is damaged ({str(error) or type(error).__name__}): {_AGAIN}."
        ) from error


def _classes(path: Path) -> tuple[str, ...]:
    try:
        names = (
            _content(path).decode().split()
            if path.suffix == ".txt"
            else _plain(path)["label_names"]
        )
        if len(names) != 10 or not all(isinstance(name, str) for name in names):
            raise ValueError("it does not have ten names")
    # A damaged pickle raises errors of many types.
    except Exception as error:
        raise BorderlineError(
            f"{path} has no names of the classes ({str(error) or type(error).__name__}): {_AGAIN}."
        ) from error
    return tuple(names)


def _plain(path: Path) -> Any:
    return _ArraysOnly(BytesIO(_content(path)), encoding="latin1").load()


def _content(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError
    return read_regular(LocalFileSystem(), str(path), _MOST_BYTES)


class _ArraysOnly(pickle.Unpickler):
    """Reads plain values and arrays; a pickle can name nothing else, so it runs no code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _OF_ARRAYS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)
