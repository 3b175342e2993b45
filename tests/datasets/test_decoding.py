"""Every file that Pillow can write becomes pixels of 8 bits on a white background."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from borderline.datasets.decoding import PILLOW, Unreadable, decoded

CLEAR, BLACK = [255, 255, 255], [0, 0, 0]


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_of(pixels: Any, bits: int, colour: int, clear: bytes = b"") -> bytes:
    """A PNG of a kind that Pillow cannot write; ``clear`` is its transparent colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    rows = np.asarray(pixels).reshape(len(pixels), -1)
    shifts = np.arange(bits)[::-1]
    binary = (rows[..., None] >> shifts & 1).reshape(len(rows), -1).astype(np.uint8)
    body = b"".join(b"\0" + np.packbits(row).tobytes() for row in binary)
    width, height = np.asarray(pixels).shape[1], len(pixels)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tRNS", clear), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    start = b"\x89PNG\r\n\x1a\n"
    return start + b"".join(chunk(*part) for part in chunks if part[1] or part[0] == b"IEND")


def pixels_of(content: bytes, scale: tuple[float, float] | None = None) -> tuple[str, list[Any]]:
    """The mode and the first row of the pixels."""
    image = decoded("own", content, scale).image
    return image.mode, np.asarray(image)[0].tolist()


def rgba() -> Image.Image:
    """A transparent red pixel and a black one."""
    return Image.fromarray(np.array([[[200, 0, 0, 0], [0, 0, 0, 255]]] * 2, np.uint8), "RGBA")


def with_clear(mode: str) -> Image.Image:
    """A white pixel and a black one; the white one is to be the transparent one."""
    return Image.fromarray(np.array([[90, 0]] * 2, np.uint8)).convert(mode)


TRANSPARENT = {
    "RGBA PNG": file_of(rgba(), "PNG"),
    "RGBA TIFF": file_of(rgba(), "TIFF"),
    "RGBA WebP": file_of(rgba(), "WEBP", lossless=True),
    "RGBA GIF": file_of(rgba(), "GIF"),
    "LA PNG": file_of(rgba().convert("LA"), "PNG"),
    "LA TIFF": file_of(rgba().convert("LA"), "TIFF"),
    "RGB PNG with a transparent colour": file_of(
        with_clear("RGB"), "PNG", transparency=(90, 90, 90)
    ),
    "grey PNG with a transparent shade": file_of(with_clear("L"), "PNG", transparency=90),
    "grey GIF with a transparent shade": file_of(with_clear("L"), "GIF", transparency=90),
    "palette PNG with a transparent colour": file_of(
        Image.fromarray(np.array([[1, 0]] * 2, np.uint8)).convert("P"), "PNG", transparency=1
    ),
    "palette PNG with opacities": file_of(
        Image.fromarray(np.array([[1, 0]] * 2, np.uint8)).convert("P"),
        "PNG",
        transparency=bytes([255, 0]),
    ),
    "16 bits": png_of([[4000, 0]], 16, 0, struct.pack(">H", 4000)),
    "16 bits with opacity": png_of([[[4000, 0], [0, 65535]]], 16, 4),
    "16 bits in colour": png_of([[[4000, 1, 2], [0, 0, 0]]], 16, 2, struct.pack(">3H", 4000, 1, 2)),
    "16 bits in colour with opacity": png_of([[[4000, 1, 2, 0], [0, 0, 0, 65535]]], 16, 6),
    "1 bit": png_of([[1, 0]], 1, 0, struct.pack(">H", 1)),
    "2 bits": png_of([[2, 0]], 2, 0, struct.pack(">H", 2)),
    "4 bits": png_of([[7, 0]], 4, 0, struct.pack(">H", 7)),
}


@pytest.mark.parametrize("scale", [None, (0.0, 4095.0), (-5.0, 300.0)])
@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparent_pixels_become_white(name: str, scale: tuple[float, float] | None) -> None:
    mode, (first, second) = pixels_of(TRANSPARENT[name], scale)
    grey = not any(word in name for word in ("RGB", "palette", "colour"))
    if "GIF" not in name:
        assert mode == ("L" if grey else "RGB")
    assert first == (255 if mode == "L" else CLEAR)
    black = 0 if scale is None or scale[0] == 0 else 4
    assert second == (black if mode == "L" else [black] * 3)


def tiff_of(values: Any, dtype: str, photometric: int = 1, bits: int | None = None) -> bytes:
    """A TIFF of grey values; photometric 0 says that 0 is white."""
    array = np.array([values] * 2, dtype)
    file = BytesIO()
    tags = {262: photometric} if bits is None else {262: photometric, 258: bits}
    Image.fromarray(array).save(file, "TIFF", tiffinfo=tags)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "scale", "expected"),
    [
        (png_of([[0, 4095, 65535]], 16, 0), None, [0, 15, 255]),
        (png_of([[0, 2048, 4095]], 16, 0), (0, 4095), [0, 128, 255]),
        (png_of([[[0, 0, 9], [4095, 0, 0]]], 16, 2), (0, 4095), [[0, 0, 1], [255, 0, 0]]),
        (png_of([[[0, 0, 9], [4095, 0, 0]]], 16, 2), None, [[0, 0, 0], [15, 0, 0]]),
        (png_of([[0, 1, 1]], 8, 0), (0, 1), [0, 255, 255]),
        (png_of([[0, 1]], 1, 0), None, [0, 255]),
        (png_of([[0, 1, 2, 3]], 2, 0), None, [0, 85, 170, 255]),
        (tiff_of([0, 0.5, 1], "float32"), (0, 1), [0, 128, 255]),
        (tiff_of([-1000, 0, 1000], "int32"), (-1000, 1000), [0, 128, 255]),
        (tiff_of([0, 256, 65535], "uint16"), None, [0, 1, 255]),
        (tiff_of([0, 256, 65535], "uint16", photometric=0), None, [255, 254, 0]),
        (b"P5 3 1 4095\n" + np.array([0, 2048, 4095], ">u2").tobytes(), None, [0, 128, 255]),
        (b"Pf\n2 1\n-1.0\n" + np.array([0, 0.5], "<f4").tobytes(), (0, 0.5), [0, 255]),
        (file_of(Image.new("CMYK", (1, 1), (0, 0, 0, 255)), "TIFF"), (0, 255), [BLACK]),
    ],
)
def test_values_of_black_and_white(
    content: bytes, scale: tuple[float, float] | None, expected: list[Any]
) -> None:
    assert pixels_of(content, scale)[1] == expected


@pytest.mark.parametrize(("values", "dtype"), [([0, 0.5], "float32"), ([0, 7], "int32")])
def test_unknown_white_is_refused_with_the_setting_that_helps(values: Any, dtype: str) -> None:
    with pytest.raises(Unreadable, match=r"32 bits.*set source\.range"):
        decoded("own", tiff_of(values, dtype), None)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_with_colours_of_16_bits(byteorder: Any, compression: str | None) -> None:
    colours = np.array([[[4095, 0, 7], [257, 1, 2048]]], np.uint16)
    file = BytesIO()
    tifffile.imwrite(file, colours, photometric="rgb", byteorder=byteorder, compression=compression)
    expected = (colours[0] / 4095 * 255).round().tolist()
    assert pixels_of(file.getvalue(), (0, 4095))[1] == expected
    assert pixels_of(file.getvalue())[1] == (colours[0] >> 8).tolist()


def test_pixels_that_are_not_finite_are_refused() -> None:
    with pytest.raises(Unreadable, match="NaN"):
        decoded("own", tiff_of([0, np.nan], "float32"), (0, 1))


def test_lab_has_the_colours_that_it_was_made_of() -> None:
    colours = Image.fromarray(np.array([[[200, 30, 40], [90, 150, 120]]] * 2, np.uint8))
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(colours, *spaces, outputMode="LAB")
    assert lab is not None
    image = decoded("own", file_of(lab, "TIFF"), None).image
    difference = np.asarray(image).astype(int) - np.asarray(colours)
    assert np.abs(difference).max() < 6


def halves() -> dict[str, bytes]:
    """A black and a white half, in every mode and format that Pillow can write."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 8:] = 255
    files = {}
    for mode, kind in product(["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"], PILLOW):
        with suppress(OSError, ValueError):
            files[f"{mode} {kind}"] = file_of(Image.fromarray(pixels).convert(mode), kind)
    return files


HALVES = halves()


@pytest.mark.parametrize("name", HALVES)
def test_black_and_white_of_every_mode(name: str) -> None:
    content = HALVES[name]
    for scale in (None, (0.0, 255.0)):
        image = decoded("own", content, scale).image.convert("RGB")
        row = np.asarray(image)[4]
        assert row[0].max() < 40, "black"
        assert row[15].min() > 215, "white"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_first_frame_of_several_is_read(kind: str) -> None:
    black, white = (Image.new("RGB", (8, 8), colour) for colour in ("black", "white"))
    content = file_of(black, kind, save_all=True, append_images=[white, black])
    picture = decoded("own", content, None)
    assert picture.several
    assert np.asarray(picture.image.convert("RGB")).max() < 10
    single = decoded("own", file_of(black, kind), None)
    assert not single.several
