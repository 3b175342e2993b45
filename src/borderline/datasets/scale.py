"""The values of black and white, and images that use too few of the values between them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

Scale = tuple[float, float]
"""The values of black and white."""

_LEAST_USED = 0.1


class Span(NamedTuple):
    """The least and the greatest value of the pixels of an image, on the scale of its file."""

    least: float
    greatest: float
    scale: Scale


def on_scale(pixels: np.ndarray, scale: Scale | None) -> np.ndarray:
    """Pixels as float32 in [-1, 1].

    Args:
        pixels: Finite numbers or truth values of any shape.
        scale: The values of black and white; None for 0 and 255 of uint8, and for float32 that is
            in [-1, 1] already.
    """
    values = pixels.astype(np.float32)
    if scale is None and pixels.dtype == np.uint8:
        values /= 127.5
        values -= 1.0
    elif scale is not None:
        low, high = scale
        values -= low
        values /= high - low
        values *= 2
        values -= 1
    return values


def span_of(pixels: np.ndarray, scale: Scale | None) -> Span:
    """The values of pixels of any shape.

    ``scale`` has the values of black and white; None is 0 and 255 for whole numbers and 0 and 1 for
    others.
    """
    low, high = scale or ((0.0, 255.0) if pixels.dtype.kind in "iu" else (0.0, 1.0))
    if pixels.size == 0:
        return Span(low, high, (low, high))
    return Span(float(pixels.min()), float(pixels.max()), (low, high))


def check_inside(spans: Sequence[Span], where: str) -> None:
    """Check that images lie within their scale.

    Raises:
        BorderlineError: When a pixel is outside.
    """
    for span in spans:
        low, high = span.scale
        if span.least < low or span.greatest > high:
            least, greatest = min(s.least for s in spans), max(s.greatest for s in spans)
            raise BorderlineError(
                f"source.range is [{low:g}, {high:g}], but the pixels of {where} go from "
                f"{least:g} to {greatest:g}: set source.range to the values of black and white."
            )


def warn_if_narrow(spans: Sequence[Span], where: str, *, of_source: bool = True) -> None:
    """Log a warning if images, all together, use less than a tenth of the values of their scale.

    The setting ``source.range`` cannot help images beside those ``of_source``.
    """
    shares = [
        ((value - span.scale[0]) / (span.scale[1] - span.scale[0]))
        for span in spans
        for value in (span.least, span.greatest)
    ]
    if not shares or max(shares) - min(shares) >= _LEAST_USED:
        return
    low, high = max((span.scale for span in spans), key=lambda scale: scale[1])
    least, greatest = (low + share * (high - low) for share in (min(shares), max(shares)))
    such_as = f"[{least:g}, {greatest if greatest > least else least + 1:g}]"
    remedy = (
        f"set source.range to the values of black and white, such as {such_as}, if they are others"
        if of_source
        else "compare them with those of the run"
    )
    logger.warning(
        "The pixels of %s go from %g to %g, less than a tenth of the range from %g to %g, so the "
        "images are nearly of one shade: %s.",
        *(where, least, greatest, low, high, remedy),
    )
