"""Pictures that stand in a page themselves, each with an alternative text."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from matplotlib.colors import to_hex
from PIL import Image
from torch import Tensor

from borderline.measures.plots import PROBABILITY_COLOURS, as_data_uris

Picture = dict[str, str]
"""``src``, an address; ``alt``, its alternative text; ``p``, and ``colour``, that of p."""

# From this width over height on, a picture has more panels than a phone is wide.
_WIDE = 1.8


def pictures(images: Tensor, p: Tensor | None, alt: str, *, first: int = 1) -> list[Picture]:
    """Images in the colours of their p.

    Args:
        images: In [-1, 1], shape (N, C, H, W).
        p: Their probabilities, shape (N,); None for no colours.
        alt: What each is, with ``{number}`` and ``{p}``.
        first: The number of the first.
    """
    shown = []
    for row, address in enumerate(as_data_uris(images)):
        picture = {"src": address, "alt": _said(alt, first + row, "")}
        if p is not None:
            value = float(p[row])
            picture["colour"] = to_hex(PROBABILITY_COLOURS(value))
            picture["p"] = f"{value:.2f}"
            picture["alt"] = _said(alt, first + row, f"p = {value:.2f}")
        shown.append(picture)
    return shown


def of_file(content: bytes, alt: str) -> dict[str, Any]:
    """A PNG that stands in the page itself.

    Args:
        content: Of the file.
        alt: What it shows, in words.

    Returns:
        ``src``, ``alt``, and whether it is ``wide``.
    """
    width, height = Image.open(BytesIO(content)).size
    address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return {"src": address, "alt": alt, "wide": width / height > _WIDE}


def _said(alt: str, number: int, p: str) -> str:
    # Not by `format`: a class may have braces in its name.
    return alt.replace("{number}", str(number)).replace("{p}", p)
