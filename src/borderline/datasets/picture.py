"""Images of 8 bits, from values of any number of bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from borderline.datasets.scale import Scale, Span
from borderline.errors import BorderlineError

# Larger images are converted in parts.
_VALUES_AT_ONCE = 2**22


class PackageMissing(BorderlineError):
    """A package that reads a format is missing; this is no fault of the file."""


class Picture(NamedTuple):
    """An image of 8 bits.

    Attributes:
        image: In one of Pillow's modes that can be converted to ``L`` and ``RGB``, without
            transparency.
        span: The values of its pixels in the file, and the scale that was used.
        bits: The bits of a channel in the file.
        several: Whether the file has more frames than this one, its first.
        windowed: Whether the scale is a window on more values, as that of a DICOM file. It can
            begin below 0.
    """

    image: Image.Image
    span: Span
    bits: int
    several: bool = False
    windowed: bool = False


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
        pixels = np.empty(values.shape, np.uint8)
        rows = max(1, _VALUES_AT_ONCE // max(1, values[0].size))
        for first in range(0, len(values), rows):
            block = slice(first, first + rows)
            shares = (values[block].astype(np.float64) - low) / (high - low)
            pixels[block] = (shares.clip(0, 1) * 255).round().astype(np.uint8)
    span = span_of(values, (low, high))
    return Picture(Image.fromarray(255 - pixels if inverted else pixels), span, bits)


def span_of(values: np.ndarray, scale: Scale) -> Span:
    """The smallest and the largest of the values, at least one, and their scale."""
    return Span(float(values.min()), float(values.max()), scale)
