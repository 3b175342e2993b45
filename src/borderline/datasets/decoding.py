"""From the bytes of an image file to pixels of 8 bits on a white background."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from borderline.datasets.scale import Scale, Span
from borderline.errors import BorderlineError

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


class Unreadable(Exception):
    """An image that cannot be read; the text is the reason, for a list in a message."""


class PackageMissing(BorderlineError):
    """A package that reads a format is missing; this is no fault of the file."""


class Picture(NamedTuple):
    """An image of 8 bits.

    Attributes:
        image: In one of Pillow's modes that can be converted to ``L`` and ``RGB``, without
            transparency.
        span: The values of its pixels in the file, and the scale that was used.
        bits: The bits of a channel in the file.
        frames: The frames of the file, of which this is the first.
    """

    image: Image.Image
    span: Span
    bits: int
    frames: int = 1


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


def decoded(name: str, content: bytes, scale: Scale | None) -> Picture:
    """Decode an image file.

    Args:
        name: The name of the file in messages; its suffix tells a DICOM file without a preamble.
        content: The bytes of the file.
        scale: The values of black and white in the file; None for those of its format.

    Raises:
        Unreadable: When the values of black and white are unknown, and for images of several
            frames.
        PackageMissing: When a DICOM file needs a package that is not installed.
    """
    if is_dicom(content) or any(name.lower().endswith(end) for end in DICOM_EXTENSIONS):
        from borderline.datasets.dicom_files import decoded_dicom

        return decoded_dicom(name, content, scale)
    with Image.open(BytesIO(content), formats=PILLOW) as file:
        stored = _stored(file)
        # Cameras add smaller images to a JPEG.
        frames = getattr(file, "n_frames", 1) if file.format in _OF_FRAMES else 1
        file.load()
        # Cameras save the orientation beside the pixels.
        image = ImageOps.exif_transpose(file)
    return _picture(image, content, stored, scale)._replace(frames=frames)


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
        return Picture(image, _span_of(np.asarray(image.getextrema()), (0, 255)), 8)
    values, opacity = _values(image, content, stored)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("it holds NaN or infinite pixels")
    picture = in_8_bits(values, scale, stored.bits, inverted=stored.inverted)
    if opacity is None:
        return picture
    picture.image.putalpha(Image.fromarray(opacity))
    visible = values[opacity > 0]
    span = _span_of(visible, picture.span.scale) if visible.size else picture.span
    return Picture(_on_paper(picture.image, ""), span, stored.bits)


def is_dicom(content: bytes) -> bool:
    """Whether the content begins as a DICOM file does; the first ``HEAD`` bytes are enough."""
    return content[128:HEAD] == b"DICM"


def in_8_bits(
    values: np.ndarray, scale: Scale | None, bits: int, inverted: bool = False
) -> Picture:
    """Values (H, W) or (H, W, 3) as an image of 8 bits; values beyond the scale are cut off.

    Args:
        values: The values in the file.
        scale: The values of black and white; None for 0 and the greatest number of ``bits``.
        bits: The bits of a channel in the file.
        inverted: Whether the first value of the scale is white.
    """
    low, high = scale or (0.0, 2.0**bits - 1)
    if scale is None and bits >= 8:
        pixels = (values >> (bits - 8)).astype(np.uint8)
    else:
        shares = (values.astype(np.float64) - low) / (high - low)
        pixels = (shares.clip(0, 1) * 255).round().astype(np.uint8)
    span = _span_of(values, (low, high))
    return Picture(Image.fromarray(255 - pixels if inverted else pixels), span, bits)


def _span_of(values: np.ndarray, scale: Scale) -> Span:
    return Span(float(values.min()), float(values.max()), scale)


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
