"""The way in which images of other proportions get those of the wanted size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from statistics import median
from typing import Literal

from borderline.errors import BorderlineError
from borderline.image_sizes import LARGEST_IMAGE, Size, sides, spelled

logger = logging.getLogger(__name__)

Fit = Literal["crop", "pad", "stretch"]
"""The central part is kept, black borders are added, or the proportions change."""

_SHOWN = 4
_CHOICES = (
    "'crop' (keep the central part), 'pad' (add black borders) or 'stretch' (change the "
    "proportions)"
)
_USUAL_SIDE = 32
_UNIT = 8  # pixels, of the sides in a proposal


def checked_fit(
    sizes: Sequence[tuple[int, int]],
    size: Size | None,
    fit: Fit | None,
    source: str,
    whose: str = "source.size",
) -> Fit:
    """The fit of the images of a source; a log line says how much of them ``crop`` cuts away.

    Args:
        sizes: Width and height of each image in pixels.
        size: The wanted side of the square, or height and width; None requires images of one size,
            square or not.
        fit: The wanted fit; None is ``crop`` if no image loses more than a tenth of its area.
        source: The name of the source in messages.
        whose: The origin of ``size`` in messages.

    Raises:
        BorderlineError: When ``size`` is missing, and when ``fit`` is missing and ``crop`` would
            cut away more than a tenth of an image.
    """
    if size is None:
        _check_one_size(sizes, fit is None, source)
        return fit or "crop"
    wanted = sides(size)
    wide = [shape for shape in sizes if is_wide(shape, wanted)]
    square = wanted[0] == wanted[1]
    if fit is None and wide:
        worst = max(wide, key=lambda shape: _lost(shape, wanted))
        differ = (
            "are not square: the central square"
            if square
            else f"have other proportions than {whose}, {spelled(size)}: the central part"
        )
        raise BorderlineError(
            f"source.fit is missing, but the images of {source} {differ} would lose "
            f"{_percent(_lost(worst, wanted))} of an image of {_shown(worst)} pixels (width x "
            f"height; median of all images: {_percent(median(_lost(s, wanted) for s in sizes))}): "
            f"set source.fit to {_CHOICES}."
        )
    losses = [_lost(shape, wanted) for shape in sizes]
    if fit in (None, "crop") and any(losses):
        logger.info(
            "Images of %s are cut to their central %s: the median image loses %s of its area, "
            "the most affected one %s.",
            source,
            "square" if square else f"part with the proportions of {spelled(size)}",
            _percent(median(losses)),
            _percent(max(losses)),
        )
    return fit or "crop"


def _check_one_size(sizes: Sequence[tuple[int, int]], ask_fit: bool, source: str) -> None:
    there = sorted(set(sizes))
    if len(there) < 2:
        return
    shown = ", ".join(map(_shown, there[:_SHOWN]))
    wide = any(is_wide(shape, (1, 1)) for shape in there)
    and_fit = f", and source.fit to {_CHOICES}" if ask_fit and wide else ""
    raise BorderlineError(
        f"source.size is missing, but the images of {source} are of {len(there)} sizes ({shown}"
        f"{', ...' if len(there) > _SHOWN else ''} pixels, width x height): set source.size to the "
        f"side of a square, such as 32 or 64, or to [height, width]{_proposal(sizes)}{and_fit}."
    )


def _proposal(sizes: Sequence[tuple[int, int]]) -> str:
    """An example with about the proportions of the median image, if that is not square."""
    ratio = median(width / height for width, height in sizes)
    short = _USUAL_SIDE
    long = min(round(short * max(ratio, 1 / ratio) / _UNIT) * _UNIT, LARGEST_IMAGE)
    example = (short, long) if ratio > 1 else (long, short)
    return f", such as {spelled(example)}" if short != long else ""


def is_wide(shape: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether an image of this width and height would lose more than a tenth of its area.

    ``wanted`` is a height and a width.
    """
    ends = _ends(shape, wanted)
    return 10 * min(ends) < 9 * max(ends)


def _lost(shape: tuple[int, int], wanted: tuple[int, int]) -> float:
    """The share of the area outside the central part of the wanted proportions."""
    ends = _ends(shape, wanted)
    return 1 - min(ends) / max(ends)


def _ends(shape: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """Two numbers in the ratio of the proportions of an image to the wanted ones."""
    return shape[0] * wanted[0], shape[1] * wanted[1]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _shown(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"
