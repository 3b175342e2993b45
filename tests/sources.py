"""Sources of every kind, with the same images, and the images that are read from them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import datasets
from borderline.datasets.image_source import SourceImages

KINDS = ("image_folder", "hugging_face", "arrays", "idx")


def written(folder: Path, kind: str, picture: np.ndarray) -> str:
    """Four copies of a grey picture, in a source of this kind."""
    images, labels = np.stack([picture] * 4), np.arange(4) % 2
    if kind == "arrays":
        np.savez(folder / "a.npz", images=images, labels=labels)
        return str(folder / "a.npz")
    if kind == "idx":
        for content, array in (("images", images), ("labels", labels.astype(np.uint8))):
            sizes = np.array(array.shape, ">u4").tobytes()
            header = bytes([0, 0, 8, array.ndim]) + sizes
            (folder / f"train-{content}").write_bytes(header + array.tobytes())
        return str(folder)
    files = [Image.fromarray(image) for image in images]
    if kind == "hugging_face":
        features = {"x": datasets.Image(), "y": datasets.ClassLabel(names=["a", "b"])}
        rows: dict[str, Any] = {"x": files, "y": labels.tolist()}
        saved = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
        saved.save_to_disk(folder / "saved")
        return str(folder / "saved")
    for number, file in enumerate(files):
        (folder / "ab"[number % 2]).mkdir(exist_ok=True)
        file.save(folder / "ab"[number % 2] / f"{number}.png")
    return str(folder)


def levels(source: SourceImages) -> list[tuple[str, int]]:
    """The class and the grey level of each training image."""
    grey = ((source.train["images"].mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()
    names = [source.classes[label] for label in source.train["labels"]]
    return list(zip(names, grey, strict=True))


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array of bytes as an IDX file, gzipped where its name ends in ``.gz``."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
