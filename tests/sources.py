"""Sources of every kind, with the same images, and the images that are read from them."""

from __future__ import annotations

import gzip
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

import datasets
from borderline.datasets.image_source import SourceImages

OF_12_BITS = np.array([[0, 100, 200, 4095]] * 2)
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


def dicom(values: np.ndarray = OF_12_BITS, *, header: bool = True, **tags: Any) -> bytes:
    """A DICOM file of grey values of 12 bits; tags add to it and change it."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = UID("1.2.3")
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = 3 if values.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.PixelRepresentation = 16, 12, 0
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    dataset.HighBit = dataset.BitsStored - 1
    kind = f"<{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}"
    dataset.PixelData = values.astype(kind).tobytes()
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.PixelData = encapsulate([dataset.PixelData])
    file = BytesIO()
    if header:
        dataset.save_as(file, enforce_file_format=True)
    else:
        del dataset.file_meta
        dataset.save_as(file, implicit_vr=True, little_endian=True)
    return file.getvalue()
