"""The way in which images that are not square become square."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from statistics import median
from typing import Literal

from borderline.errors import BorderlineError

logger = logging.getLogger(__name__)

Fit = Literal["crop", "pad", "stretch"]
"""The central square is kept, black borders are added, or the proportions change."""

_SHOWN = 4
_CHOICES = (
    "'crop' (keep the central square), 'pad' (add black borders) or 'stretch' (change the "
    "proportions)"
)


def checked_fit(
    sizes: Sequence[tuple[int, int]], size: int | None, fit: Fit | None, source: str
) -> Fit:
    """The fit of the images of a source; a log line says how much of them ``crop`` cuts away.

    Args:
        sizes: Width and height of each image in pixels.
        size: The wanted side of the square; None requires square images of one size.
        fit: The wanted fit; None is ``crop`` if no image loses more than a tenth of its area.
        source: The name of the source in messages.

    Raises:
        BorderlineError: When ``size`` is missing, and when ``fit`` is missing and ``crop`` would
            cut away more than a tenth of an image.
    """
    wide = [sides for sides in sizes if 10 * min(sides) < 9 * max(sides)]
    if size is None:
        _check_one_square(sorted(set(sizes)), bool(wide) and fit is None, source)
        return fit or "crop"
    if fit is None and wide:
        worst = max(wide, key=_lost)
        raise BorderlineError(
            f"source.fit is missing, but the images of {source} are not square: the central "
            f"square would lose {_percent(_lost(worst))} of an image of {_shown(worst)} pixels "
            f"(median of all images: {_percent(median(map(_lost, sizes)))}): set source.fit to "
            f"{_CHOICES}."
        )
    losses = [_lost(sides) for sides in sizes]
    if fit in (None, "crop") and any(losses):
        logger.info(
            "Images of %s are cut to their central square: the median image loses %s of its area, "
            "the most affected one %s.",
            source,
            _percent(median(losses)),
            _percent(max(losses)),
        )
    return fit or "crop"


def _check_one_square(sizes: Sequence[tuple[int, int]], ask_fit: bool, source: str) -> None:
    if len(sizes) < 2 and all(width == height for width, height in sizes):
        return
    shown = ", ".join(map(_shown, sizes[:_SHOWN]))
    shape = (
        f"are of {len(sizes)} sizes ({shown}{', ...' if len(sizes) > _SHOWN else ''})"
        if len(sizes) > 1
        else f"are of {shown} pixels and not square"
    )
    and_fit = f", and source.fit to {_CHOICES}" if ask_fit else ""
    raise BorderlineError(
        f"source.size is missing, but the images of {source} {shape}: set source.size to the side "
        f"of the square that all are resized to, such as 32 or 64{and_fit}."
    )


def _lost(sides: tuple[int, int]) -> float:
    """The share of the area outside the central square."""
    return 1 - min(sides) / max(sides)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _shown(sides: tuple[int, int]) -> str:
    return f"{sides[0]}x{sides[1]}"
