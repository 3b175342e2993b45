"""Images in IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from borderline.datasets.arrays import Arrays, ImageArrays, channels_first
from borderline.datasets.limits import check_bytes
from borderline.errors import BorderlineError

_UNSIGNED_BYTE = 0x08
_AT_ONCE = 2**24


def read_idx_folder(folder: Path) -> ImageArrays:
    """Read ``train-images*`` and ``train-labels*``; and ``t10k-`` or ``test-`` files if present.

    Raises:
        BorderlineError: When the folder or a file is missing, and when files do not match.
    """
    if not folder.is_dir():
        raise BorderlineError(
            f"source.path is {str(folder)!r}, but there is no such folder: put the IDX files "
            "there, or name the folder that holds them."
        )
    train = _read_split(folder, "train-")
    if train is None:
        raise BorderlineError(
            f"source.path is {str(folder)!r}, but it holds no train-images and train-labels files "
            "(IDX, gzipped or not): put them there, or name another folder."
        )
    labels = train.labels
    count = int(labels.max()) + 1 if len(labels) else 0
    return tuple(map(str, range(count))), train, _read_split(folder, "t10k-", "test-")


def _read_split(folder: Path, *prefixes: str) -> Arrays | None:
    paths = {
        content: [file for prefix in prefixes for file in idx_paths(folder, f"{prefix}{content}")]
        for content in ("images", "labels")
    }
    if not any(paths.values()):
        return None
    for content, matches in paths.items():
        if not matches:
            raise BorderlineError(
                f"source.path is {str(folder)!r}, but its {prefixes[0]}{content} file is missing: "
                "put it beside the others, or name another folder."
            )
    images, labels = read_idx(paths["images"][0]), read_idx(paths["labels"][0])
    if images.ndim not in (3, 4) or labels.ndim != 1 or len(images) != len(labels):
        raise BorderlineError(
            f"{paths['images'][0]} holds an array of shape {images.shape} and "
            f"{paths['labels'][0].name} one of shape {labels.shape}, but one image and one "
            "label each are needed: replace the files by a matching pair."
        )
    return Arrays(channels_first(images), labels)


def idx_paths(folder: Path, name: str) -> list[Path]:
    """The files of a folder whose names begin with ``name``.

    Files in folders of such a name come last: some archives unpack each file into a folder of its
    own name.
    """
    there = sorted(folder.glob(f"{name}*"))
    nested = [file for place in there if place.is_dir() for file in sorted(place.glob(f"{name}*"))]
    return [file for file in [*there, *nested] if file.is_file()]


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file (LeCun's format for MNIST, gzipped if it ends in ``.gz``), uint8.

    Raises:
        BorderlineError: When the file is no IDX file of unsigned bytes, or too short or too long.
    """
    remedy = "replace it by a sound copy."
    if not path.is_file():
        raise BorderlineError(f"{path} is no regular file: {remedy}")
    try:
        opened: Any = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UNSIGNED_BYTE:
                raise BorderlineError(
                    f"{path} starts with the bytes {head.hex(' ') or '(none)'}, but an IDX file of "
                    f"unsigned bytes starts with 00 00 08 and the number of dimensions: {remedy}"
                )
            sides = file.read(4 * head[3])
            shape = tuple(np.frombuffer(sides[: len(sides) // 4 * 4], dtype=">u4").tolist())
            expected = math.prod(shape)
            check_bytes(expected, str(path))
            content = _up_to(file, expected)
            more = bool(file.read(1))
    except (OSError, EOFError, MemoryError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BorderlineError(f"{path} cannot be read ({reason}): {remedy}") from error
    if len(shape) < head[3] or len(content) < expected or more:
        raise BorderlineError(
            f"{path} announces {shape} values but holds {'more' if more else len(content)} "
            f"bytes of them, so it is truncated or damaged: {remedy}"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _up_to(file: IO[bytes], most: int) -> bytearray:
    """The next bytes of a file; a file that announces more than it holds takes no memory."""
    content = bytearray()
    while part := file.read(min(_AT_ONCE, most - len(content))):
        content += part
    return content
