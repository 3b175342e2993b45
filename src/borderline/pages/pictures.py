"""Pictures inside a page, each with an alternative text."""

from __future__ import annotations

import base64
import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Picture = dict[str, str]
"""``src``, a data address; ``alt``, the alternative text; ``p`` and its ``colour``; ``stretch``."""

# From this ratio of width to height on, a picture has more panels than fit a phone.
_WIDE = 1.8


def pictures(
    images: Tensor, p: Tensor | None, alt: str, *, first: int = 1, threshold: float = 0.5
) -> list[Picture]:
    """Pictures of images in the colours of their p.

    Args:
        images: In [-1, 1], shape (N, C, H, W).
        p: Their probabilities, shape (N,); None for no colours.
        alt: The alternative text, with the placeholders ``{number}`` and ``{p}``.
        first: The number of the first image.
        threshold: The decision threshold, the middle of the colours.
    """
    from matplotlib.colors import to_hex

    from borderline.measures.plots import PROBABILITY_COLOURS, as_data_uris, colours_of_p

    shown, scale = [], colours_of_p(threshold)
    for row, address in enumerate(as_data_uris(images)):
        # The name of a class may contain braces, so `str.format` would fail.
        text = alt.replace("{number}", str(first + row))
        picture = {"src": address, "alt": text, **stretch_of(images)}
        if p is not None:
            value = float(p[row])
            picture["colour"] = to_hex(PROBABILITY_COLOURS(float(scale(value))))
            picture["p"] = f"{value:.2f}"
            picture["alt"] = picture["alt"].replace("{p}", f"p = {value:.2f}")
        shown.append(picture)
    return shown


def stretch_of(images: Tensor) -> Picture:
    """The ``stretch`` of images (..., H, W): the page shows them as large as squares.

    It multiplies the width of a square and divides its height; squares have none.
    """
    height, width = images.shape[-2:]
    return {} if height == width else {"stretch": f"{math.sqrt(width / height):.4f}"}


def of_file(content: bytes, alt: str) -> dict[str, Any]:
    """A PNG inside the page: ``src``, the alternative text ``alt``, and whether it is ``wide``."""
    from PIL import Image

    width, height = Image.open(BytesIO(content)).size
    address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return {"src": address, "alt": alt, "wide": width / height > _WIDE}
