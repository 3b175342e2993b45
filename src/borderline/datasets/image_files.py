"""Decodes image files of any size, and knows what to do with those that are broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps

from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

Colour = Literal["grey", "rgb"]
Broken = Literal["stop", "leave_out"]
Part = tuple[np.ndarray, np.ndarray]
"""Pixels (N, C, H, W) and labels (N,)."""

_NAMED = 5
_READERS = 4
_GREY = ("L",)
_DIGITS = 12
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
Image.init()
EXTENSIONS = {own for own, name in Image.registered_extensions().items() if name in FORMATS}
AnyName = TypeVar("AnyName", str, int)


class ImageFile(NamedTuple):
    """An image that is not yet read.

    Attributes:
        name: What to call it in messages.
        label: The index of its class.
        read: Gives its bytes.
    """

    name: str
    label: int
    read: Callable[[], bytes]


def decode_parts(
    parts: Mapping[str, Iterable[ImageFile]],
    size: int | None,
    colour: Colour | None,
    broken: Broken,
    source: str,
) -> dict[str, Part]:
    """Pixels and labels of the image files of each part, all of them grey or all in colour.

    Args:
        parts: The files by part; the first one says whether all are grey, where ``colour`` does
            not.
        size: As for :func:`decode_all`, and so are the others.
        colour: Grey or in colour.
        broken: What happens where some cannot be read.
        source: What to call all of them in messages.
    """
    read: dict[str, Part] = {}
    for part, files in parts.items():
        read[part] = decode_all(files, size, colour, broken, source)
        # In colour there may be grey ones too, but not the other way round.
        colour = colour or ("grey" if read[part][0].shape[1] == 1 else None)
    return read


def decode_all(
    files: Iterable[ImageFile],
    size: int | None,
    colour: Colour | None,
    broken: Broken,
    source: str,
) -> Part:
    """Pixels and labels of image files.

    Args:
        files: The files.
        size: Side in pixels: images are cut to a square about their middle and resized. None where
            all are square and of one size.
        colour: What to make of them; None for grey where all of them are.
        broken: What happens where some cannot be read.
        source: What to call all of them in messages.

    Returns:
        Pixels (N, C, H, W), uint8, and labels (N,), of those that can be read.

    Raises:
        BorderlineError: When some cannot be read and ``broken`` says so; when none can; and when
            they are of several sizes but ``size`` is None.
    """
    files = list(files)
    with ThreadPoolExecutor(_READERS) as readers:
        opened = list(readers.map(_opened, files))
    bad = [
        f"{f.name} ({own})" for f, own in zip(files, opened, strict=True) if isinstance(own, str)
    ]
    images = [own for own in opened if not isinstance(own, str)]
    labels = [f.label for f, own in zip(files, opened, strict=True) if not isinstance(own, str)]
    if bad and (broken == "stop" or not images):
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise BorderlineError(
            f"{len(bad)} of {len(files)} images of {source} cannot be read: "
            f"{', '.join(bad[:_NAMED])}{more}: replace or remove them, or set source.broken to "
            "'leave_out'."
        )
    for name in bad:
        logger.warning("Left out, for it cannot be read: %s", name)
    mode = "L" if (colour or _colour_of(images)) == "grey" else "RGB"
    if size is None:
        sizes = sorted({image.size for image in images})
        if len(sizes) > 1 or (sizes and sizes[0][0] != sizes[0][1]):
            shown = ", ".join(f"{width}x{height}" for width, height in sizes[:4])
            raise BorderlineError(
                f"source.size is missing, but the images of {source} are of {len(sizes)} sizes "
                f"({shown}{', ...' if len(sizes) > 4 else ''}): set source.size to the side of the "
                "square that all are resized to, such as 32 or 64."
            )
    pixels = [np.asarray(_fitted(image, size).convert(mode)) for image in images]
    stacked = np.stack(pixels) if pixels else np.zeros((0, 1, 1), np.uint8)
    return np.ascontiguousarray(channels_first(stacked)), np.array(labels, dtype=np.int64)


def channels_first(images: np.ndarray) -> np.ndarray:
    """Images as (N, C, H, W), from (N, H, W), (N, H, W, C) or as they are; C is 1 or 3."""
    if images.ndim == 3:
        return images[:, None]
    if images.shape[-1] in (1, 3) and images.shape[1] not in (1, 3):
        return np.moveaxis(images, -1, 1)
    return images


def in_order(names: Iterable[AnyName]) -> list[AnyName]:
    """Names of classes as people sort them: 2 before 10."""
    return sorted(names, key=lambda name: (not str(name).isdigit(), str(name).zfill(_DIGITS)))


def _opened(file: ImageFile) -> Image.Image | str:
    """The image, or why there is none."""
    try:
        content = file.read()
        if not content:
            return "0 bytes"
        # Others start programs to be read, whatever the file is called.
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            image.load()
            if image.mode in ("F", "I"):
                return "its pixels have 32 bits: save it with 8 or 16"
            # As a person sees it: cameras note how they were held.
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
        own = image.convert("RGBA")
        # What can be seen through is white, as on paper.
        paper = Image.new("RGBA", own.size, "white")
        return Image.alpha_composite(paper, own).convert("L" if grey else "RGB")
    return image


def _colour_of(images: list[Image.Image]) -> Colour:
    return "grey" if all(image.mode in _GREY for image in images) else "rgb"


def _fitted(image: Image.Image, size: int | None) -> Image.Image:
    if size is None or image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
