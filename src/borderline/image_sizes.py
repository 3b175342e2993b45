"""The sizes of images: how settings spell them, and their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

SMALLEST_IMAGE = 8
"""Side of the smallest images in pixels."""
LARGEST_IMAGE = 4096
"""Side of the largest images: a batch of them and its layers must fit into a GPU."""
MOST_MEGAPIXELS = 180
"""Of an image file: Pillow takes larger ones for an attack."""


def _one_or_two_sides(size: Any) -> Any:
    sides = size if isinstance(size, list | tuple) else [size]
    if len(sides) not in (1, 2) or not all(type(side) is int and side >= 1 for side in sides):
        raise ValueError("it must be a whole number from 1 on, or two: [height, width]")
    return sides[0] if len(sides) == 1 else tuple(sides)


def _of_images(size: int | tuple[int, int]) -> int | tuple[int, int]:
    if not all(SMALLEST_IMAGE <= side <= LARGEST_IMAGE for side in sides(size)):
        raise ValueError(f"each side must have {SMALLEST_IMAGE} to {LARGEST_IMAGE} pixels")
    return size


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of images: the side of a square, or both."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def spelled(size: int | Sequence[int] | None) -> str:
    """A size as settings spell it: 32, or [32, 96]."""
    return str(size if size is None or isinstance(size, int) else list(size))


Size = Annotated[int | tuple[int, int], BeforeValidator(_one_or_two_sides)]
"""The side of a square image in pixels, or height and width."""
ImageSize = Annotated[Size, AfterValidator(_of_images)]
"""The same, within the limits of images."""
