"""Labelled images as tensors in [-1, 1], of the wanted size and colour."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.datasets.arrays import Arrays
from borderline.datasets.fitting import Fit
from borderline.datasets.scale import on_scale
from borderline.image_sizes import Size, sides
from borderline.records import LabelledImages

BLACK = -1.0
_VALUES_AT_ONCE = 2**26
# The brightness of red, green and blue to the eye (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


def labelled(arrays: Arrays, size: Size | None, colour: str | None, fit: Fit) -> LabelledImages:
    """Images as tensors in [-1, 1], as :func:`fitted` gives them.

    Large images are converted some at a time, so that the memory holds the result only.
    """
    pixels = arrays.pixels
    count = len(pixels)
    step = max(1, _VALUES_AT_ONCE // max(1, pixels[:1].size))
    parts = (
        _fitted(torch.from_numpy(on_scale(pixels[first : first + step], arrays.scale)), *wanted)
        for wanted in [(size, colour, fit)]
        for first in range(0, max(count, 1), step)
    )
    images = next(parts)
    if count > step:
        first, images = images, images.new_empty((count, *images.shape[1:]))
        images[:step] = first
        for number, part in enumerate(parts, 1):
            images[number * step : (number + 1) * step] = part
    labels = torch.from_numpy(np.asarray(arrays.labels).astype(np.int64))
    record: LabelledImages = {"images": images, "labels": labels}
    if arrays.validation is not None:
        record["validation"] = torch.from_numpy(arrays.validation)
    return record


def fitted(
    split: LabelledImages, size: Size | None, colour: str | None, fit: Fit
) -> LabelledImages:
    """Images of this size in pixels, ``grey`` or ``rgb``; None keeps the image's own."""
    return {**split, "images": _fitted(split["images"], size, colour, fit)}


def luminance(images: Tensor) -> Tensor:
    """The brightness (N, 1, H, W) of images (N, 3, H, W) to the eye, on the same scale."""
    weights = images.new_tensor(_LUMA)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _fitted(images: Tensor, size: Size | None, colour: str | None, fit: Fit) -> Tensor:
    if colour == "grey" and images.shape[1] == 3:
        images = luminance(images)
    elif colour == "rgb" and images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1).contiguous()
    if size is not None and images.shape[-2:] != sides(size):
        images = _resized(images, sides(size), fit)
    return images


def _resized(images: Tensor, wanted: tuple[int, int], fit: Fit) -> Tensor:
    height, width = images.shape[-2:]
    shape, border = wanted, (0, 0)
    # The sides of the wanted proportions that go with the other side of the images.
    high, wide = width * wanted[0] / wanted[1], height * wanted[1] / wanted[0]
    if fit == "crop":
        kept = max(1, min(height, round(high))), max(1, min(width, round(wide)))
        top, left = (height - kept[0]) // 2, (width - kept[1]) // 2
        images = images[..., top : top + kept[0], left : left + kept[1]]
    elif fit == "pad":
        longest = max(height, high), max(width, wide)
        shape = (
            max(1, round(wanted[0] * height / longest[0])),
            max(1, round(wanted[1] * width / longest[1])),
        )
        border = (wanted[0] - shape[0], wanted[1] - shape[1])
    images = F.interpolate(images, shape, mode="bilinear", antialias=True).clamp(-1, 1)
    (top, bottom), (left, right) = ((length // 2, length - length // 2) for length in border)
    return F.pad(images, (left, right, top, bottom), value=BLACK)
