"""Decodes image files of any size; broken files stop the run or are left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from borderline.datasets.arrays import Arrays, with_validation
from borderline.datasets.decoding import EXTENSIONS as EXTENSIONS
from borderline.datasets.decoding import FORMATS as FORMATS
from borderline.datasets.decoding import HEAD as HEAD
from borderline.datasets.decoding import (
    Unreadable,
    decoded,
    is_dicom,
    size_in_header,
)
from borderline.datasets.fitting import Fit, checked_fit, is_wide
from borderline.datasets.limits import BYTES_OF_A_PIXEL, check_memory
from borderline.datasets.picture import PackageMissing
from borderline.datasets.scale import Scale, Span, check_inside, warn_if_narrow
from borderline.errors import BorderlineError
from borderline.image_sizes import MOST_MEGAPIXELS, Size, sides

logger = logging.getLogger(__name__)

Colour = Literal["grey", "rgb"]
Broken = Literal["stop", "leave_out"]
"""Unreadable files stop the run, or are left out."""

_SHOWN = 5
_LONGEST = 200  # letters of a file's name in a message
_READERS = 4
_AT_ONCE = 1024


class ImageFile(NamedTuple):
    """An image file, not yet read.

    Attributes:
        name: Its name in messages.
        label: The index of its class.
        read: Reads the file, which may have at most so many bytes.
        columns: Other values of the image, by name.
    """

    name: str
    label: int
    read: Callable[[int], bytes]
    columns: Mapping[str, Any] | None = None


class Wanted(NamedTuple):
    """The wanted images of a source of files.

    Attributes:
        size: Side of a square in pixels, or height and width, that images are resized to; None
            requires images of one size.
        fit: The way in which images get these proportions; None as in
            :func:`~borderline.datasets.fitting.checked_fit`.
        colour: The wanted colour; None is grey if all images of ``train`` are grey.
        broken: What happens to files that cannot be read.
        scale: The values of black and white in the files; None for those of their formats.
        megapixels: The greatest size of a file.
    """

    size: Size | None = None
    fit: Fit | None = None
    colour: Colour | None = None
    broken: Broken = "stop"
    scale: Scale | None = None
    megapixels: int = MOST_MEGAPIXELS


class _Pixels(NamedTuple):
    """A decoded image in the wanted size.

    Attributes:
        values: Shape (H, W) if grey, else (H, W, 3), uint8.
        size: Width and height of the file.
        span: As that of :class:`~borderline.datasets.decoding.Picture`.
        bits: The same.
        several: The same.
        windowed: The same.
    """

    values: np.ndarray
    size: tuple[int, int]
    span: Span
    bits: int
    several: bool
    windowed: bool


def decode_splits(
    splits: Mapping[str, Iterable[ImageFile]], wanted: Wanted, source: str
) -> tuple[Arrays, Arrays | None]:
    """Pixels and labels of the splits, all of them grey or all in colour.

    An image keeps the memory of its wanted size only.

    The splits are ``train``, and perhaps ``validation`` and ``test``. Validation images are
    training images with a mark.

    Args:
        source: The name of the source in messages.

    Raises:
        BorderlineError: When files cannot be read and ``broken`` is ``stop``, when no file can be
            read, when pixels are outside of the wanted scale, and when ``size`` or ``fit`` is
            missing for images of other sizes.
    """
    listed = {name: list(files) for name, files in splits.items()}
    _check_sizes([file for files in listed.values() for file in files], wanted, source)
    colour, opened = wanted.colour, {}
    for name, files in listed.items():
        opened[name] = _opened_files(files, wanted._replace(colour=colour), source)
        # The other splits have the channels of the training images.
        grey = all(image.values.ndim == 2 for image in opened[name][1])
        colour = colour or ("grey" if grey else "rgb")
    images = [image for _, of_split in opened.values() for image in of_split]
    _check_scale(images, wanted.scale, source)
    checked_fit([image.size for image in images], wanted.size, wanted.fit, source)
    images.clear()
    arrays = {name: _stacked(*of_split) for name, of_split in opened.items()}
    return with_validation(arrays["train"], arrays.get("validation"), source), arrays.get("test")


def _check_sizes(files: list[ImageFile], wanted: Wanted, source: str) -> None:
    """Check that all images fit into the memory, in the wanted size or in their own.

    Raises:
        BorderlineError: When they do not, and when their own sizes differ.
    """
    if wanted.size is not None:
        check_memory((len(files), 1, *sides(wanted.size)), wanted.size, source)
        return

    def size_of(file: ImageFile) -> tuple[int, int] | None:
        try:
            content = file.read(wanted.megapixels * 10**6 * BYTES_OF_A_PIXEL)
            return size_in_header(file.name, content, wanted.megapixels)
        except PackageMissing:
            raise
        except Exception:  # The decoding says which files cannot be read.
            return None

    with ThreadPoolExecutor(_READERS) as readers:
        sizes = [size for size in readers.map(size_of, files) if size is not None]
    checked_fit(sizes, None, wanted.fit, source)
    if sizes:
        check_memory((len(sizes), 1, sizes[0][1], sizes[0][0]), None, source)


def _opened_files(
    files: list[ImageFile], wanted: Wanted, source: str
) -> tuple[list[ImageFile], list[_Pixels]]:
    """The files that can be read, and their pixels."""

    def opened(file: ImageFile) -> _Pixels | str:
        return _opened(file, wanted)

    results: list[tuple[ImageFile, _Pixels | str]] = []
    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, len(files), _AT_ONCE):
            some = files[first : first + _AT_ONCE]
            results += zip(some, readers.map(opened, some), strict=True)
    bad = [(file.name[:_LONGEST], result) for file, result in results if isinstance(result, str)]
    pictures = [result for _, result in results if not isinstance(result, str)]
    if bad and (wanted.broken == "stop" or not pictures):
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise BorderlineError(
            f"{len(bad)} of {len(files)} images of {source} cannot be read: "
            f"{_with_reasons(bad[:_SHOWN])}{more}: replace or remove them, or set source.broken to "
            "'leave_out'."
        )
    for name, reason in bad:
        logger.warning("Left out, because it cannot be read: %s (%s)", name, reason)
    kept = [file for file, result in results if not isinstance(result, str)]
    longer = [file.name for file, picture in zip(kept, pictures, strict=True) if picture.several]
    if longer:
        logger.warning(
            "%d images of %s have several frames, of which only the first one is read: %s%s",
            *(len(longer), source, ", ".join(longer[:_SHOWN])),
            ", ..." if len(longer) > _SHOWN else "",
        )
    return kept, pictures


def _with_reasons(bad: list[tuple[str, str]]) -> str:
    """The names of files with the reason in brackets, once for names that share it."""
    names: dict[str, list[str]] = {}
    for name, reason in bad:
        names.setdefault(reason, []).append(name)
    return ", ".join(
        f"{', '.join(some)} ({'each: ' * (len(some) > 1)}{reason})"
        for reason, some in names.items()
    )


def _check_scale(pictures: list[_Pixels], scale: Scale | None, source: str) -> None:
    _check_depths(pictures, scale, source)
    spans = [picture.span for picture in pictures]
    check_inside(spans, source)
    warn_if_narrow(spans, source)


def _check_depths(pictures: list[_Pixels], scale: Scale | None, source: str) -> None:
    depths = sorted({picture.bits for picture in pictures})
    if scale is not None and len(depths) > 1:
        raise BorderlineError(
            f"source.range is [{scale[0]:g}, {scale[1]:g}], but the images of {source} have "
            f"{' and '.join(map(str, depths))} bits, in which black and white have other values: "
            "save all images with the same number of bits, or remove source.range."
        )


def _stacked(files: list[ImageFile], images: list[_Pixels]) -> Arrays:
    """The images as one array; the list is emptied, so that the memory holds them once."""
    grey = all(image.values.ndim == 2 for image in images)
    shape = images[0].values.shape[:2] if images else (1, 1)
    pixels = np.empty((len(images), 1 if grey else 3, *shape), np.uint8)
    for row in reversed(range(len(images))):
        values = images.pop().values
        # A grey image fills all three channels.
        pixels[row] = values if values.ndim == 2 else np.moveaxis(values, -1, 0)
    columns = pd.DataFrame.from_records([file.columns or {} for file in files])
    return Arrays(
        pixels,
        np.array([file.label for file in files], dtype=np.int64),
        columns if len(columns.columns) else None,
    )


def is_image(name: str, head: Callable[[], bytes]) -> bool:
    """Whether a file is an image, by its suffix; without one, whether it is a DICOM file.

    Args:
        name: The name of the file.
        head: Reads the first bytes of the file. Archives name DICOM files ``IM000001`` or
            ``1.2.840.113``.
    """
    stem, dot, suffix = name.rpartition(".")
    if dot and stem and not suffix.isdigit():
        return f".{suffix.lower()}" in EXTENSIONS
    return not name.startswith(".") and is_dicom(head())


def _opened(file: ImageFile, wanted: Wanted) -> _Pixels | str:
    """The pixels of a file, or the reason why it cannot be read."""
    try:
        content = file.read(wanted.megapixels * 10**6 * BYTES_OF_A_PIXEL)
        if not content:
            return "0 bytes"
        picture = decoded(file.name, content, wanted.scale, wanted.megapixels)
        modes = {"grey": "L", "rgb": "RGB", None: "L" if picture.image.mode == "L" else "RGB"}
        mode = modes[wanted.colour]
        image = _fitted(picture.image, wanted.size, wanted.fit or "crop", mode).convert(mode)
        return _Pixels(np.asarray(image), picture.image.size, *picture[1:])
    except PackageMissing:
        raise
    except Exception as error:
        return _reason(error)


def _reason(error: Exception) -> str:
    """Why a file cannot be read."""
    if isinstance(error, Unreadable):
        return str(error)
    first = (str(error).splitlines() or [""])[0]
    return first.split("<")[0].strip()[:80] or type(error).__name__


def _fitted(image: Image.Image, size: Size | None, fit: Fit, mode: str) -> Image.Image:
    if size is None or image.size == sides(size)[::-1]:
        return image
    shape, filter_ = sides(size)[::-1], Image.Resampling.BICUBIC
    if fit == "pad":
        # 0 is black in these modes only.
        return ImageOps.pad(image.convert(mode), shape, filter_, color=0)
    return image.resize(shape, filter_) if fit == "stretch" else ImageOps.fit(image, shape, filter_)


def read_images(files: Sequence[ImageFile], wanted: Wanted, source: str) -> list[np.ndarray | str]:
    """The pixels of each file, uint8 (C, H, W), or the reason why it is left out.

    Args:
        files: The files; each is judged by itself, unlike those of :func:`decode_splits`. One that
            cannot be on the scale of ``wanted`` has the scale of its format.
        wanted: The images; with a size and a colour.
        source: The name of the source in messages.
    """
    opened = [_opened(file, wanted) for file in files]
    scale = wanted.scale
    if scale is not None:
        of_format = wanted._replace(scale=None)
        others = [
            row
            for row, one in enumerate(opened)
            if not isinstance(one, str) and not _may_be(scale, one)
        ]
        for row in others:
            opened[row] = _opened(files[row], of_format)
        if others:
            logger.warning(
                "source.range is [%g, %g], which cannot be black and white of %d of the %d images "
                "of %s: theirs are those of their format",
                *(*scale, len(others), len(files), source),
            )
    pictures = [picture for picture in opened if not isinstance(picture, str)]
    warn_if_narrow([picture.span for picture in pictures], source, of_source=False)
    return [one if isinstance(one, str) else _alone(one, wanted) for one in opened]


def _may_be(scale: Scale, picture: _Pixels) -> bool:
    """Whether the values of black and white can be those of a file.

    Files of the source itself always can. DICOM files have a window of any values, and those with
    32 bits hold any values. In others the scale lies within that of their bits; if it is one of
    fewer bits, all pixels lie within it.
    """
    low, high = scale
    if picture.windowed or picture.bits == 32:
        return True
    of_fewer_bits = high <= (1 if picture.bits == 8 else 255)
    inside = picture.span.greatest <= high
    return low >= 0 and high < 2**picture.bits and (inside or not of_fewer_bits)


def _alone(picture: _Pixels, wanted: Wanted) -> np.ndarray | str:
    """The pixels (C, H, W), or the reason why the picture cannot stand for its file."""
    low, high = picture.span.scale
    if picture.span.least < low or picture.span.greatest > high:
        return (
            f"source.range is [{low:g}, {high:g}], but its pixels go from {picture.span.least:g} "
            f"to {picture.span.greatest:g}"
        )
    # The header of a file may lack the orientation of its pixels.
    if wanted.fit is None and wanted.size and is_wide(picture.size, sides(wanted.size)):
        return f"it has {picture.size[0]}x{picture.size[1]} pixels, and source.fit is missing"
    return picture.values[None] if picture.values.ndim == 2 else np.moveaxis(picture.values, -1, 0)


def size_of(file: ImageFile, wanted: Wanted) -> tuple[int, int] | str:
    """Width and height of one file in pixels, or the reason why it cannot be read."""
    try:
        content = file.read(wanted.megapixels * 10**6 * BYTES_OF_A_PIXEL)
        if not content:
            return "0 bytes"
        width, height = size_in_header(file.name, content, wanted.megapixels)
        if width * height > wanted.megapixels * 10**6:
            return f"it has more than {wanted.megapixels} megapixels"
        return width, height
    except PackageMissing:
        raise
    except Exception as error:
        return _reason(error)
