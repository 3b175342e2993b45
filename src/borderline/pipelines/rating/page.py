"""The page on which people say what they see: one file, without a hint at the kind of an image."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from borderline.pages import rendering
from borderline.pages.pictures import stretch_of
from borderline.pipelines.rating.answers import ANSWERS
from borderline.pipelines.rating.items import fingerprint, ids_of
from borderline.records import RatingItems

PACKAGE = "borderline.pipelines.rating"

# Arrows, because digits and letters may be the names of classes.
_KEYS = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowDown": "↓", "ArrowUp": "↑"}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_SECONDS_OF_AN_ANSWER = 4.5


def render(model: str, items: RatingItems, pair_names: Mapping[str, str]) -> str:
    """The page of a model.

    The name of the model is in the name of the downloaded file only, so that people do not rate
    the model.
    """
    pixels = ((items["images"] + 1) * 127.5).round().byte().movedim(1, -1).numpy()
    sources = [base64.b64encode(png_of(picture)).decode() for picture in pixels]
    data: dict[str, Any] = {
        "page": fingerprint(items, pair_names),
        "model": model,
        "items": [
            {"id": item, "png": source} for item, source in zip(ids_of(items), sources, strict=True)
        ],
    }
    labels = {**pair_names, "neither": "Neither", "cannot_tell": "Cannot tell"}
    return rendering.render(
        PACKAGE,
        "rating.html",
        charts=False,
        data=data,
        images=len(sources),
        stretch=stretch_of(items["images"]).get("stretch"),
        minutes=max(1, round(len(sources) * _SECONDS_OF_AN_ANSWER / 60)),
        positive=pair_names["positive"],
        negative=pair_names["negative"],
        answers=[
            {"name": name, "label": labels[name], "key": key, "symbol": symbol}
            for name, (key, symbol) in zip(ANSWERS, _KEYS.items(), strict=True)
        ],
    )


def png_of(pixels: np.ndarray) -> bytes:
    """Pixels of 8 bits, (H, W, C) with C of 1 or 3, as a PNG without filters and compression.

    The length of a compressed file, or its filters, would tell generated images, which are noisy,
    from real ones. Here only the pixels and their checksums differ between images of one shape.
    """
    height, width, channels = pixels.shape
    colour = _GREY if channels == 1 else _RGB
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    no_filter = np.zeros((height, 1), dtype=np.uint8)
    rows = np.concatenate([no_filter, pixels.reshape(height, -1)], axis=1)
    content = zlib.compress(rows.tobytes(), level=0)
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
