"""Decodes image files of any size; broken files stop the run or are left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

Colour = Literal["grey", "rgb"]
Broken = Literal["stop", "leave_out"]
"""Unreadable files stop the run, or are left out."""

_SHOWN = 5
_READERS = 4
_DIGITS = 12
_INTEGER = re.compile(r"[+-]?[0-9]+")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
Image.init()
EXTENSIONS = {end for end, name in Image.registered_extensions().items() if name in FORMATS}
AnyName = TypeVar("AnyName", str, int)


class Arrays(NamedTuple):
    """Images as arrays.

    Attributes:
        pixels: Shape (N, C, H, W), uint8 or in [-1, 1].
        labels: Shape (N,).
        columns: Other values of each image, N rows; None for none.
    """

    pixels: np.ndarray
    labels: np.ndarray
    columns: pd.DataFrame | None = None


ImageArrays = tuple[tuple[str, ...], Arrays, Arrays | None]
"""The classes, the training images, and the test images if there are some."""


class ImageFile(NamedTuple):
    """An image file, not yet read.

    Attributes:
        name: Its name in messages.
        label: The index of its class.
        columns: Other values of the image, by name.
    """

    name: str
    label: int
    read: Callable[[], bytes]
    columns: Mapping[str, Any] | None = None


def decode_splits(
    splits: Mapping[str, Iterable[ImageFile]],
    size: int | None,
    colour: Colour | None,
    broken: Broken,
    source: str,
) -> tuple[Arrays, Arrays | None]:
    """Pixels and labels of the splits ``train`` and ``test``, all of them grey or all in colour.

    Args:
        size: Side in pixels: images are cut to their middle square and resized. None requires
            square images of one size.
        colour: The wanted colour; None is grey if all images of ``train`` are grey.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When files cannot be read and ``broken`` is ``stop``, when no file can be
            read, and when ``size`` is missing for images of several sizes.
    """
    arrays: dict[str, Arrays] = {}
    for name, files in splits.items():
        arrays[name] = _decoded(list(files), size, colour, broken, source)
        # A colour set may hold grey images, but a grey set no coloured ones.
        colour = colour or ("grey" if arrays[name].pixels.shape[1] == 1 else None)
    return arrays["train"], arrays.get("test")


def _decoded(
    files: list[ImageFile],
    size: int | None,
    colour: Colour | None,
    broken: Broken,
    source: str,
) -> Arrays:
    with ThreadPoolExecutor(_READERS) as readers:
        results = list(zip(files, readers.map(_opened, files), strict=True))
    bad = [f"{file.name} ({result})" for file, result in results if isinstance(result, str)]
    images = [result for _, result in results if not isinstance(result, str)]
    kept = [file for file, result in results if not isinstance(result, str)]
    if bad and (broken == "stop" or not images):
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise BorderlineError(
            f"{len(bad)} of {len(files)} images of {source} cannot be read: "
            f"{', '.join(bad[:_SHOWN])}{more}: replace or remove them, or set source.broken to "
            "'leave_out'."
        )
    for name in bad:
        logger.warning("Left out, because it cannot be read: %s", name)
    grey = all(image.mode == "L" for image in images) if colour is None else colour == "grey"
    if size is None:
        sizes = sorted({image.size for image in images})
        if len(sizes) > 1 or (sizes and sizes[0][0] != sizes[0][1]):
            shown = ", ".join(f"{width}x{height}" for width, height in sizes[:4])
            raise BorderlineError(
                f"source.size is missing, but the images of {source} are of {len(sizes)} sizes "
                f"({shown}{', ...' if len(sizes) > 4 else ''}): set source.size to the side of the "
                "square that all are resized to, such as 32 or 64."
            )
    mode = "L" if grey else "RGB"
    pixels = [np.asarray(_fitted(image, size).convert(mode)) for image in images]
    stacked = np.stack(pixels) if pixels else np.zeros((0, 1, 1), np.uint8)
    columns = pd.DataFrame.from_records([file.columns or {} for file in kept])
    return Arrays(
        np.ascontiguousarray(channels_first(stacked)),
        np.array([file.label for file in kept], dtype=np.int64),
        columns if len(columns.columns) else None,
    )


def channels_first(images: np.ndarray) -> np.ndarray:
    """Images as (N, C, H, W), from (N, H, W), (N, H, W, C) or (N, C, H, W); C is 1 or 3."""
    if images.ndim == 3:
        return images[:, None]
    if images.shape[-1] in (1, 3) and images.shape[1] not in (1, 3):
        return np.moveaxis(images, -1, 1)
    return images


def is_integer(name: object) -> bool:
    """Whether the name of a class is the text of an integer, such as ``7``, ``007`` or ``-1``."""
    return _INTEGER.fullmatch(str(name)) is not None


def in_order(names: Iterable[AnyName]) -> list[AnyName]:
    """Names of classes in the order of their labels.

    Integers are in numerical order. Other names are in the order of Python's ``sorted``, which is
    also that of torchvision's ImageFolder.

    Example:
        >>> in_order(["10", "2"]), in_order(["10", "cat", "2"])
        (['2', '10'], ['10', '2', 'cat'])
    """
    there = list(names)
    if all(map(is_integer, there)):
        return sorted(there, key=lambda name: (int(name), str(name)))
    return sorted(there, key=str)


def class_orders(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The orders of classes that a training may have used, most probable first, each once.

    The first is that of :func:`in_order`, the second that of torchvision's ImageFolder, and the
    third sorts by length first, as tools with a natural order do with numbers.

    Example:
        >>> class_orders(["2", "10"])
        [('2', '10'), ('10', '2')]
    """

    def by_length(name: str) -> tuple[bool, str]:
        return not name.isdigit(), name.zfill(_DIGITS)

    orders = in_order(names), sorted(names), sorted(names, key=by_length)
    return list(dict.fromkeys(map(tuple, orders)))


def _opened(file: ImageFile) -> Image.Image | str:
    """The image, or the reason why it cannot be read."""
    try:
        content = file.read()
        if not content:
            return "0 bytes"
        # Pillow would run a program to read other formats, whatever the file's name.
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            image.load()
            if image.mode in ("F", "I"):
                return "its pixels have 32 bits: save it with 8 or 16"
            # Cameras save the orientation beside the pixels.
            return _of_8_bits(ImageOps.exif_transpose(image))
    except Exception as error:
        return str(error).splitlines()[0].split("<")[0].strip()[:80] or type(error).__name__


def _of_8_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBA", "LA", "La", "RGBa"):
        grey = image.mode in ("LA", "La")
        layer = image.convert("RGBA")
        # Transparent pixels become white, as on paper.
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("L" if grey else "RGB")
    return image


def _fitted(image: Image.Image, size: int | None) -> Image.Image:
    if size is None or image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
