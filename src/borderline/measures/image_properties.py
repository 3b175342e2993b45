"""Properties of images that a person can name: ink, stroke thickness, slant, sharpness and others.

The images are of one of two kinds, which :func:`has_ground` tells apart. On a plain ground, such as
the paper of a drawing, the figure can be separated from the ground, so its shape has properties. In
photographs only the properties of the whole image exist.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt
from skimage.color import rgb2gray
from skimage.filters import scharr, threshold_otsu
from skimage.measure import label, regionprops
from skimage.morphology import remove_small_holes, remove_small_objects, skeletonize
from torch import Tensor

SHAPE = ("thickness", "slant", "aspect", "holes")
"""The properties of a figure; NaN in an image without one."""

# Grey levels run from 0 to 1. Levels of the ground differ by at most this from their median ...
_PLAIN = 0.05
# ... in at least this share of the border, because figures may touch it.
_LEAST_GROUND = 0.5
# A weaker figure is noise of the ground.
_LEAST_CONTRAST = 0.1
# Parts of the figure below this share of its pixels are specks.
_SPECK = 0.05
# Holes up to this share of the image's pixels are gaps of the threshold.
_SMALLEST_HOLE = 0.0025


class _Ground(NamedTuple):
    """The ground of an image: its grey level, and the share of the border that has it."""

    level: float
    share: float


def has_ground(images: Tensor) -> bool:
    """Whether most images show a figure on a plain ground, so that it has ink and a shape.

    The border decides which side is the ground: the frame of the image, one pixel wide. Its median
    grey level is the level of the ground if at least half of the frame is near to it (5 % of the
    range). So the ground may be black, white or grey, and a figure may touch the border, as long as
    it covers less than half of it.

    Args:
        images: In [-1, 1], shape (N, C, H, W), N at least 1, C 1 or 3.
    """
    return float(np.mean([_ground(grey).share >= _LEAST_GROUND for grey in _grey(images)])) > 0.5


def image_properties(images: Tensor, ground: bool) -> pd.DataFrame:
    """The named properties of each image, a row an image.

    - ``ink`` (grey images with a ground): mean distance of the grey levels from the ground, in
      [0, 1]. Else ``brightness``: mean grey level, 0 is black and 1 white.
    - ``contrast``: with a ground, the mean distance of the figure's grey levels from the ground, in
      [0, 1]; else the standard deviation of the grey levels (Peli 1990), in [0, 0.5].
    - ``thickness``: mean thickness of the strokes in pixels, from the distance transform on the
      skeleton.
    - ``slant``: angle of the shear that makes the figure upright, from its second moments, in
      degrees in (-90, 90): above 0 it leans to the right, like italic type.
    - ``aspect``: width of the figure's bounding box divided by its height.
    - ``holes``: number of holes, from the Euler number; tiny holes and specks do not count.
    - ``symmetry``: correlation with the mirror image, left and right exchanged, in [-1, 1]: of the
      figure's bounding box, or of the whole image.
    - ``sharpness``: mean slope of the edges, whatever their length and direction: the gradient by
      Scharr's filter, weighted with itself, as a share of the range of the grey levels per pixel.
    - ``colourfulness`` (colour images): Hasler and Süsstrunk 2003, for levels from 0 to 255.

    The figure is separated from the ground by Otsu's threshold (1979) of the distance of each
    pixel from the level of the border. Thickness, slant, aspect and holes exist only with a ground,
    for grey and for colour images.

    Args:
        images: In [-1, 1], shape (N, C, H, W), C 1 or 3.
        ground: Whether the images have a plain ground, see :func:`has_ground`; one answer for all
            images that are compared.

    Returns:
        Float columns by name. NaN where a property does not exist: the figure of a blank image or
        of noise, the symmetry and the sharpness of an even image.
    """
    colour = images.shape[1] == 3
    greys = _grey(images)
    rows = [_of_grey(grey, ground, ink=ground and not colour) for grey in greys]
    first = "ink" if ground and not colour else "brightness"
    columns = [first, "contrast", *(SHAPE if ground else ()), "symmetry", "sharpness"]
    table = pd.DataFrame(rows, columns=columns, dtype=float)
    if colour:
        table["colourfulness"] = _colourfulness(images)
    return table


def _grey(images: Tensor) -> np.ndarray:
    """Grey levels in [0, 1], float64, shape (N, H, W)."""
    levels = ((images.double().clamp(-1, 1) + 1) / 2).numpy()
    return levels[:, 0] if levels.shape[1] == 1 else np.asarray(rgb2gray(levels, channel_axis=1))


def _ground(grey: np.ndarray) -> _Ground:
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    level = float(np.median(border))
    return _Ground(level, float((np.abs(border - level) <= _PLAIN).mean()))


def _of_grey(grey: np.ndarray, ground: bool, *, ink: bool) -> dict[str, float]:
    level, share = _ground(grey)
    distance = np.abs(grey - level)
    row = {
        "ink" if ink else "brightness": float(distance.mean() if ink else grey.mean()),
        "sharpness": _sharpness(grey),
    }
    if not ground:
        return row | {"contrast": float(grey.std()), "symmetry": _symmetry(grey)}
    if share < _LEAST_GROUND or distance.max() < _LEAST_CONTRAST:
        return row  # noise, or blank
    return row | _of_figure(distance)


def _of_figure(distance: np.ndarray) -> dict[str, float]:
    """The properties of a figure, from the distance of each pixel from the level of the ground."""
    figure = distance > threshold_otsu(distance)
    large = remove_small_objects(figure, max_size=int(_SPECK * figure.sum()), connectivity=2)
    # A figure may consist of specks alone. Beyond the border is ground.
    figure = np.pad(large if large.any() else figure, 1)
    solid = remove_small_holes(figure, max_size=int(_SMALLEST_HOLE * figure.size))
    (region,) = regionprops(solid.astype(np.uint8))
    top, left, bottom, right = region.bbox
    centre = tuple(slice(start - 1, end - 1) for start, end in ((top, bottom), (left, right)))
    # regionprops has all moments up to the third order, which takes a fifth of the whole time.
    down, across = (axis - axis.mean() for axis in np.nonzero(solid))
    covariance, variance = (down * across).sum(), (down**2).sum()
    # Four pixels for one: between whole pixels, strokes of two pixels differ from those of one.
    fine = solid.repeat(2, axis=0).repeat(2, axis=1)
    return {
        "contrast": float(distance[solid[1:-1, 1:-1]].mean()),
        "thickness": float(distance_transform_edt(fine)[skeletonize(fine)].mean()),
        # The vertical axis points down.
        "slant": float(np.degrees(np.arctan2(-covariance, variance))) if variance > 0 else np.nan,
        "aspect": (right - left) / (bottom - top),
        "holes": float(label(solid, connectivity=2).max() - region.euler_number),
        "symmetry": _symmetry(distance[centre]),
    }


def _symmetry(grey: np.ndarray) -> float:
    if grey.std() == 0:
        return np.nan
    return float(np.corrcoef(grey.ravel(), grey[:, ::-1].ravel())[0, 1])


def _sharpness(grey: np.ndarray) -> float:
    slopes = scharr(grey)
    if slopes.sum() == 0:
        return np.nan
    # The weights leave the even areas out, so that the length of the edges does not count.
    return float(np.average(slopes, weights=slopes) / np.ptp(grey))


def _colourfulness(images: Tensor) -> np.ndarray:
    levels = ((images.double().clamp(-1, 1) + 1) * 127.5).flatten(2).numpy()
    red, green, blue = np.moveaxis(levels, 1, 0)
    across, along = red - green, (red + green) / 2 - blue
    spread = np.sqrt(across.var(1) + along.var(1))
    return np.asarray(spread + 0.3 * np.hypot(across.mean(1), along.mean(1)))
