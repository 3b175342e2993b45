"""Labelled images as tensors: in [-1, 1], of the wanted size and colour, and usable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from borderline.datasets.image_files import Arrays
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.params import SMALLEST_IMAGE
from borderline.records import LabelledImages

# The brightness of red, green and blue to the eye (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


def labelled(arrays: Arrays) -> LabelledImages:
    """Images as tensors, from pixels that are uint8 or already in [-1, 1]."""
    pixels, labels = arrays
    values = pixels.astype(np.float32)
    images = torch.from_numpy(values / 127.5 - 1.0 if pixels.dtype == np.uint8 else values)
    return {
        "images": images,
        "labels": torch.from_numpy(np.asarray(labels).astype(np.int64)),
    }


def fitted(source: SourceImages, size: int | None, colour: str | None) -> SourceImages:
    """All images in one size and colour.

    Args:
        source: The source.
        size: Side in pixels; None keeps the image's own size.
        colour: ``grey`` or ``rgb``; None keeps the image's own.
    """
    train, test = (
        split and {**split, "images": _fitted(split["images"], size, colour)}
        for split in (source.train, source.test)
    )
    assert train is not None
    return replace(source, train=train, test=test)


def _fitted(images: Tensor, size: int | None, colour: str | None) -> Tensor:
    if colour == "grey" and images.shape[1] == 3:
        weights = images.new_tensor(_LUMA)[:, None, None]
        images = (images * weights).sum(1, keepdim=True)
    elif colour == "rgb" and images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1).contiguous()
    if size is not None and images.shape[-2:] != (size, size):
        side = min(images.shape[-2:])
        top, left = ((length - side) // 2 for length in images.shape[-2:])
        images = images[..., top : top + side, left : left + side]
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(-1, 1)
    return images


def check_usable(source: SourceImages) -> None:
    """Check sizes, channels and labels of a source.

    Raises:
        BorderlineError: When images are not square, of one size and large enough, or a label has no
            class.
    """
    shape = source.train["images"].shape[1:]
    for split in (source.train, source.test):
        if split is None:
            continue
        channels, height, width = split["images"].shape[1:]
        if (
            len(split["images"]) == 0
            or split["images"].shape[1:] != shape
            or height != width
            or height < SMALLEST_IMAGE
            or channels not in (1, 3)
        ):
            raise BorderlineError(
                f"{source.name} holds {len(split['images'])} images of {width}x{height} pixels "
                f"with {channels} channels, but it needs square images of one size, at least "
                f"{SMALLEST_IMAGE} pixels wide and with 1 or 3 channels: crop or resize them first."
            )
        highest = int(split["labels"].max())
        if highest >= len(source.classes):
            raise BorderlineError(
                f"source.classes names {len(source.classes)} classes, but {source.name} has the "
                f"label {highest}: name every class."
            )
