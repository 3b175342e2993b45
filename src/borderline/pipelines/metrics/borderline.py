"""The borderline images of a generator."""

from __future__ import annotations

from typing import cast

import torch

from borderline.measures.confusion import is_borderline
from borderline.records import Part, Parts, take_rows


def first_borderline(parts: Parts, band: float, most: int) -> Part:
    """The first borderline images; the images of a generator come in no order.

    Args:
        parts: The images.
        band: Half the width of the borderline band.
        most: The number of images to keep, at most.
    """
    kept: list[Part] = []
    for name in sorted(parts):
        part = parts[name]()
        kept.append(take_rows(part, is_borderline(part["probabilities"], band)))
        if sum(len(part["images"]) for part in kept) >= most:
            break
    joined = {name: torch.cat([part[name] for part in kept]) for name in kept[0]}  # type: ignore[literal-required]
    return take_rows(cast(Part, joined), slice(most))
