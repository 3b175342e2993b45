"""Images in NumPy files: one .npz, or a folder of .npy files."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

import numpy as np
import pandas as pd
from fsspec.core import url_to_fs

from borderline.datasets.arrays import Arrays, ImageArrays, channels_first, with_validation
from borderline.datasets.class_names import in_order
from borderline.datasets.limits import check_bytes, check_labels, memory
from borderline.datasets.reading import Unreadable, read_regular
from borderline.datasets.scale import Span, check_inside, span_of, warn_if_narrow
from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

_PREFIXES = {"validation": "val_", "test": "test_"}
_load = partial(np.load, allow_pickle=False)
_NAMES = {
    "train": (("images", "labels"), ("train_images", "train_labels"), ("x_train", "y_train")),
    "validation": (("val_images", "val_labels"), ("x_val", "y_val")),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}


def read_image_arrays(
    path: str, scale: tuple[float, float] | None, *, chosen: bool = False
) -> ImageArrays:
    """Read arrays of images and of labels.

    Args:
        path: An .npz, or a folder of .npy files, or its fsspec address. It holds ``images`` and
            ``labels``, or ``x_train`` and ``y_train``; optional are ``test_images`` and
            ``test_labels``, or ``x_test`` and ``y_test``; and ``val_images`` and ``val_labels``, or
            ``x_val`` and ``y_val``, for validation. Other arrays with a value for each image are
            columns; ``test_<name>`` and ``val_<name>`` hold those of the other images.
        scale: The values of black and white; None is 0 and 255 for whole numbers and 0 and 1 for
            others.
        chosen: Whether ``source.classes`` chooses among the classes. Then names that no training
            image has are those of classes that are left out, with the label -1.

    Raises:
        BorderlineError: When the file is missing or damaged, when it holds Python objects (which
            would run code), and when the arrays do not fit each other.
    """
    arrays = _arrays(path)
    splits: dict[str, Arrays] = {}
    spans: list[Span] = []
    for split, choices in _NAMES.items():
        names = next((pair for pair in choices if pair[0] in arrays or pair[1] in arrays), None)
        if names is None:
            continue
        for name in names:
            if name not in arrays:
                raise BorderlineError(
                    f"source.path is {path!r}, whose array {name!r} is missing (there are "
                    f"{', '.join(sorted(arrays))}): add it."
                )
        of_split = _split(path, *names, arrays[names[0]], arrays[names[1]], scale)
        spans.append(span_of(arrays[names[0]], scale))
        splits[split] = of_split._replace(columns=_columns(path, arrays, split, of_split.labels))
    if "train" not in splits:
        raise BorderlineError(
            f"source.path is {path!r}, whose arrays are {', '.join(sorted(arrays)) or 'none'}, but "
            "images and labels, or x_train and y_train, are needed: name them so."
        )
    warn_if_narrow(spans, path)
    classes = in_order({*splits["train"].labels.tolist()})
    if all(isinstance(name, int) for name in classes):
        _check_numbers(splits, path)
        highest = max(classes, default=-1)
        check_labels(highest, len(splits["train"].labels), path)
        numbers = tuple(map(str, range(highest + 1)))
        return numbers, _with_validation(splits, path), splits.get("test")
    order = {name: label for label, name in enumerate(classes)}
    for split, of_split in splits.items():
        unknown = sorted(set(of_split.labels.tolist()) - set(classes))
        if unknown and not chosen:
            raise BorderlineError(
                f"The {split} images of {path} have the label {unknown[0]!r}, which no training "
                "image has: add some, or remove these images."
            )
    by_label = {
        split: of_split._replace(
            labels=np.array([order.get(n, -1) for n in of_split.labels.tolist()])
        )
        for split, of_split in splits.items()
    }
    return tuple(map(str, classes)), _with_validation(by_label, path), by_label.get("test")


def _check_numbers(splits: dict[str, Arrays], path: str) -> None:
    """Check that the labels of all splits are numbers, like those of the training images."""
    for split, images in splits.items():
        if images.labels.dtype.kind == "U":
            raise BorderlineError(
                f"The {split} images of {path} have names as labels "
                f"({str(images.labels[0])!r}), but the training images have numbers: write both in "
                "the same way."
            )


def _with_validation(splits: dict[str, Arrays], path: str) -> Arrays:
    return with_validation(splits["train"], splits.get("validation"), path)


def _arrays(path: str) -> dict[str, np.ndarray]:
    fs, root = url_to_fs(path)
    if not fs.exists(root):
        raise BorderlineError(
            f"source.path is {path!r}, but there is no such file or folder: name an .npz, or a "
            "folder of .npy files."
        )
    if fs.isdir(root):
        files = sorted(file for file in fs.ls(root, detail=False) if file.endswith(".npy"))
        arrays = {file: _read(file, _load, _content(fs, file, file)) for file in files}
        return {
            file.rpartition("/")[2].removesuffix(".npy"): array for file, array in arrays.items()
        }
    content = _content(fs, root, path)
    archive = _read(path, _load, content)
    if isinstance(archive, np.ndarray):
        raise BorderlineError(
            f"source.path is {path!r}, which holds one array, but images and labels are needed: "
            "name the folder that holds images.npy and labels.npy, or an .npz with both."
        )
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise BorderlineError(f"{path} cannot be read (it is no .npz): name another file.")
    _check_archive(archive, path)
    read = {n: _read(f"{path} ({n})", archive.__getitem__, n) for n in archive.files}
    # NumPy gives the bytes of files in it that are no arrays.
    return {name: array for name, array in read.items() if isinstance(array, np.ndarray)}


def _content(fs: Any, file: str, shown: str) -> BytesIO:
    try:
        return BytesIO(read_regular(fs, file, memory()))
    except Unreadable as error:
        raise BorderlineError(f"{shown} cannot be read ({error}): name another file.") from error


def _check_archive(archive: Any, path: str) -> None:
    """Check that the arrays of an archive fit into the memory.

    Raises:
        BorderlineError: When they do not, and for compressions that NumPy does not write.
    """
    members = archive.zip.infolist()
    check_bytes(sum(member.file_size for member in members), path)
    strange = [m.filename for m in members if m.compress_type not in (ZIP_STORED, ZIP_DEFLATED)]
    if strange:
        # Python unpacks these without a limit.
        raise BorderlineError(
            f"{path} holds {strange[0][:80]!r} in a compression that NumPy does not write: save it "
            "with np.savez or np.savez_compressed."
        )


def _read(path: str, read: Callable[[Any], Any], source: Any) -> Any:
    try:
        return read(source)
    except (ValueError, OSError, EOFError, MemoryError, BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise BorderlineError(
                f"{path} holds Python objects, whose reading would run code: save "
                "arrays of numbers (np.save with allow_pickle=False)."
            ) from error
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise BorderlineError(
            f"{path} cannot be read ({reason}): replace it by a sound copy."
        ) from error


def _split(
    path: str,
    images_name: str,
    labels_name: str,
    images: np.ndarray,
    labels: np.ndarray,
    scale: tuple[float, float] | None,
) -> Arrays:
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.ndim not in (3, 4) or labels.ndim != 1 or len(images) != len(labels):
        raise BorderlineError(
            f"source.path is {path!r}, whose {images_name} are of shape {images.shape} and "
            f"{labels_name} of shape {labels.shape}, but (N, H, W), (N, H, W, C) or (N, C, H, W) "
            "and (N,) are needed: correct them."
        )
    if labels.dtype.kind not in "iuU" or (labels.dtype.kind == "i" and (labels < 0).any()):
        raise BorderlineError(
            f"source.path is {path!r}, whose {labels_name} are of type {labels.dtype}, but whole "
            "numbers from 0 on, or names, are needed: convert them."
        )
    if len(images) and (images.size == 0 or labels.dtype.itemsize == 0):
        raise BorderlineError(
            f"source.path is {path!r}, whose {images_name} of shape {images.shape} and "
            f"{labels_name} of type {labels.dtype} hold no values: save them again."
        )
    if images.dtype.kind not in "uifb":
        raise BorderlineError(
            f"source.path is {path!r}, whose {images_name} are of type {images.dtype}, but numbers "
            "are needed: convert them."
        )
    shape, images = images.shape, channels_first(images)
    if images.shape[1] not in (1, 3):
        raise BorderlineError(
            f"source.path is {path!r}, whose {images_name} are of shape {shape}, but one channel "
            "or three are needed, first or last: keep the grey or the three colours (RGBA: "
            "images[..., :3])."
        )
    span = span_of(images, scale)
    # The images become float32.
    least, greatest = np.array(span[:2]).astype(np.float32)
    if not np.isfinite([least, greatest]).all():
        raise BorderlineError(
            f"source.path is {path!r}, whose {images_name} hold NaN or infinite pixels: replace "
            "them."
        )
    rounded = span._replace(least=float(least), greatest=float(greatest))
    check_inside([rounded], f"{images_name} in {path}")
    return Arrays(images, labels, scale=span.scale)


def _columns(
    path: str, arrays: dict[str, np.ndarray], split: str, labels: np.ndarray
) -> pd.DataFrame | None:
    """The other arrays with a value for each image.

    Those of the test images begin with ``test_``, those of validation images with ``val_``.
    Arrays of other lengths are left out.
    """
    known = {name for pairs in _NAMES.values() for pair in pairs for name in pair}
    columns = {}
    validated = any(pair[0] in arrays for pair in _NAMES["validation"])
    for name, array in arrays.items():
        owner = next((s for s, prefix in _PREFIXES.items() if name.startswith(prefix)), "train")
        # Without validation images, val_<name> is a column of the training images.
        owner = "train" if owner == "validation" and not validated else owner
        if name in known or owner != split:
            continue
        column = name if split == "train" else name.removeprefix(_PREFIXES[split])
        values = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8", "replace")
        if values.ndim == 1 and len(values) == len(labels):
            columns[column] = values
        elif values.ndim == 1:
            logger.warning(
                "Left out: %s of %s has %d values for %d images",
                name,
                path,
                len(values),
                len(labels),
            )
    return pd.DataFrame(columns) if columns else None
