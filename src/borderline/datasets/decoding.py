"""From the bytes of an image file to pixels of 8 bits on a white background."""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from borderline.datasets.picture import Picture, in_8_bits, span_of
from borderline.datasets.reading import Unreadable as Unreadable
from borderline.datasets.scale import Scale
from borderline.image_sizes import MOST_MEGAPIXELS

PILLOW = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""The formats that Pillow may read: it would run a program for some others."""
DICOM_EXTENSIONS = {".dcm", ".dicom"}
FORMATS = (*PILLOW, "DICOM")
HEAD = 132
"""The first bytes of a file, which tell a DICOM file."""
Image.init()
EXTENSIONS = {end for end, name in Image.registered_extensions().items() if name in PILLOW}
EXTENSIONS |= DICOM_EXTENSIONS

_BITS_PER_SAMPLE, _PHOTOMETRIC, _MIN_IS_WHITE = 258, 262, 0  # of TIFF
# Of the two bytes of a value, Pillow gives the first one in B, and the second one in L.
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_OF_FRAMES = ("GIF", "PNG", "TIFF", "WEBP")
_GREY_MODES = ("1", "L", "LA", "La")
# Larger images are decoded one at a time: some take 30 bytes a pixel for a moment.
_LARGE, _one_at_a_time = 16_000_000, threading.Lock()
# The orientations of cameras that exchange width and height.
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)


class _Stored(NamedTuple):
    """Facts of a file that Pillow forgets when it copies the image.

    Attributes:
        layout: Pillow's name of the layout of the pixels, such as ``RGB;16B``.
        bits: The bits of a channel.
        inverted: Whether 0 is white, and Pillow has not turned it into black.
        cut: Whether the colours have 16 bits, of which only 8 can be read.
    """

    layout: str
    bits: int
    inverted: bool
    cut: bool


def decoded(
    name: str, content: bytes, scale: Scale | None, megapixels: int = MOST_MEGAPIXELS
) -> Picture:
    """Decode an image file.

    Args:
        name: The name of the file in messages; its suffix tells a DICOM file without a preamble.
        content: The bytes of the file.
        scale: The values of black and white in the file; None for those of its format.
        megapixels: The greatest size that is decoded.

    Raises:
        Unreadable: When the image is too large, when the values of black and white are unknown, and
            for DICOM files of several frames.
        PackageMissing: When a DICOM file needs a package that is not installed.
    """
    if _is_named_dicom(name, content):
        from borderline.datasets.dicom_files import decoded_dicom, read_dicom

        dataset = read_dicom(name, content)
        with _room((dataset.Columns, dataset.Rows), megapixels):
            return decoded_dicom(name, dataset, scale)
    with _opened(content, megapixels) as file, _room(file.size, megapixels):
        stored = _stored(file)
        # Cameras add smaller images to a JPEG. Counting all frames of a file can take hours.
        several = file.format in _OF_FRAMES and bool(getattr(file, "is_animated", False))
        file.load()
        # Cameras save the orientation beside the pixels.
        image = ImageOps.exif_transpose(file)
        return _picture(image, content, stored, scale)._replace(several=several)


def size_in_header(name: str, content: bytes, megapixels: int) -> tuple[int, int]:
    """Width and height of an image file in pixels; its pixels are not decoded.

    Raises:
        Unreadable: When they are more than ``megapixels``.
        PackageMissing: When a DICOM file needs a package that is not installed.
    """
    if _is_named_dicom(name, content):
        from borderline.datasets.dicom_files import read_dicom

        dataset = read_dicom(name, content)
        return int(dataset.Columns), int(dataset.Rows)
    with _opened(content, megapixels) as file:
        width, height = file.size
        # Pillow decodes a PNG to look for an orientation behind the pixels.
        known = file.format != "PNG" or "exif" in file.info
        if known and file.getexif().get(_ORIENTATION) in _TURNED:
            return height, width
        return width, height


def _opened(content: bytes, megapixels: int) -> Image.Image:
    # Pillow's own limit is the same for all files of a process; it raises an error at its double.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, megapixels * 10**6)
    try:
        return Image.open(BytesIO(content), formats=PILLOW)
    except Image.DecompressionBombError as error:
        raise Unreadable(_too_large("", megapixels)) from error


def _room(size: tuple[int, int], megapixels: int) -> AbstractContextManager[Any]:
    """A turn to decode an image of this width and height.

    Raises:
        Unreadable: When it is too large.
    """
    pixels = size[0] * size[1]
    if pixels > megapixels * 10**6:
        raise Unreadable(_too_large(f" ({size[0]}x{size[1]})", megapixels))
    return _one_at_a_time if pixels > _LARGE else nullcontext()


def _too_large(size: str, megapixels: int) -> str:
    return f"it has more than {megapixels} megapixels{size}; source.most_megapixels can be raised"


def _is_named_dicom(name: str, content: bytes) -> bool:
    return is_dicom(content) or any(name.lower().endswith(end) for end in DICOM_EXTENSIONS)


def _picture(image: Image.Image, content: bytes, stored: _Stored, scale: Scale | None) -> Picture:
    if image.mode == "LAB":
        image = _of_lab(image)
    if stored.cut and scale is not None:
        raise Unreadable("its colours have 16 bits and an associated opacity: save it as PNG")
    if stored.bits == 32 and scale is None:
        kind = "are signed numbers" if ";16" in stored.layout else "have 32 bits"
        raise Unreadable(
            f"its pixels {kind}: save it with 8 or 16 bits, or set source.range to the values of "
            "black and white"
        )
    if scale is None and (stored.bits == 8 or stored.cut):
        image = _on_paper(image, stored.layout)
        return Picture(image, span_of(np.asarray(image.getextrema()), (0, 255)), 8)
    values, opacity = _values(image, content, stored)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("it holds NaN or infinite pixels")
    picture = in_8_bits(values, scale, stored.bits, inverted=stored.inverted)
    if opacity is None:
        return picture
    picture.image.putalpha(Image.fromarray(opacity))
    visible = values[opacity > 0]
    span = span_of(visible, picture.span.scale) if visible.size else picture.span
    return Picture(_on_paper(picture.image, ""), span, stored.bits)


def is_dicom(content: bytes) -> bool:
    """Whether the content begins as a DICOM file does; the first ``HEAD`` bytes are enough."""
    return content[128:HEAD] == b"DICM"


def _stored(image: Image.Image) -> _Stored:
    tile = getattr(image, "tile", None)
    layout = tile[0][3] if tile else ""
    layout = str(layout[0] if isinstance(layout, tuple) else layout)
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
    elif ";16" in layout and "S" not in layout:
        bits = 16
    elif image.mode == "I" and image.format == "PPM":
        bits = 16  # Pillow stretches the values to this scale.
    else:
        bits = 32 if image.mode in ("I", "F") else 8
    # Pillow turns only images of 8 bits and fewer.
    inverted = bits > 8 and tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE
    # Pillow divides these colours by their opacity.
    cut = layout.startswith("RGBa;16")
    return _Stored(layout, bits, inverted, cut)


def _values(
    image: Image.Image, content: bytes, stored: _Stored
) -> tuple[np.ndarray, np.ndarray | None]:
    """The values in the file, (H, W) or (H, W, 3), and the opacity (H, W) of 8 bits, if any."""
    if image.mode in ("I", "F") and stored.bits == 32:
        return np.asarray(image), None
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int32)
        clear = image.info.get("transparency")
        return values, None if clear is None else np.where(values == clear, 0, 255).astype(np.uint8)
    if stored.bits == 16:
        return _of_16_bits(content, stored.layout, image.info.get("transparency"))
    grey = image.mode in _GREY_MODES
    if image.has_transparency_data or image.mode in ("P", "PA"):
        layer = np.asarray(_layer(image, stored.layout))
        colours, opacity = layer[..., :3], layer[..., 3]
        return (colours[..., 0] if grey else colours), None if opacity.min() == 255 else opacity
    return np.asarray(image.convert("L" if grey else "RGB")), None


def _of_16_bits(
    content: bytes, layout: str, clear: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The values of a file with colours or opacity of 16 bits, of which Pillow gives one byte."""
    if layout.startswith("LA"):
        # Two bytes of grey and two of opacity.
        pairs = _read_as(content, "RGBA").astype(np.int32)
        return pairs[..., 0] << 8 | pairs[..., 1], pairs[..., 2].astype(np.uint8)
    high = _read_as(content, layout).astype(np.int32)
    values = high << 8 | _read_as(content, layout[:-1] + _OTHER_BYTE[layout[-1]])
    colours = values[..., :3]
    opacity = high[..., 3].astype(np.uint8) if values.shape[-1] == 4 else None
    if clear is not None:
        opacity = np.where((colours == clear).all(-1), 0, 255).astype(np.uint8)
    return colours, opacity


def _read_as(content: bytes, layout: str) -> np.ndarray:
    """The pixels of a file, upright, with another layout of the bytes of a pixel."""
    with Image.open(BytesIO(content), formats=PILLOW) as image:
        image.tile = [
            tile._replace(args=(layout, *tile[3][1:]) if isinstance(tile[3], tuple) else layout)
            for tile in image.tile
        ]
        image.load()
        return np.asarray(ImageOps.exif_transpose(image))


def _of_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _on_paper(image: Image.Image, layout: str) -> Image.Image:
    """An image of 8 bits in which transparent pixels are white, as on paper."""
    if image.has_transparency_data or image.mode in ("P", "PA"):
        layer = _layer(image, layout)
        paper = Image.new("RGBA", layer.size, "white")
        mode = "L" if image.mode in _GREY_MODES else "RGB"
        return Image.alpha_composite(paper, layer).convert(mode)
    return image.convert("L") if image.mode == "1" else image


def _layer(image: Image.Image, layout: str) -> Image.Image:
    """An image of 8 bits as RGBA."""
    clear = image.info.get("transparency")
    if image.mode == "L" and layout in ("L;2", "L;4") and isinstance(clear, int):
        # Pillow stretches the pixels of these PNG files to 8 bits, but not the transparent value.
        image.info["transparency"] = clear * {"L;2": 85, "L;4": 17}[layout]
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")
