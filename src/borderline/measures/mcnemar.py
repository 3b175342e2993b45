"""McNemar's test (1947): do two models make different errors on the same images?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, chi2
from torch import Tensor

from borderline.measures.intervals import members


class Wrong(NamedTuple):
    """The comparison of the errors of two models.

    Attributes:
        only_this: The number of images that only this model gets wrong.
        only_other: The number of images that only the other model gets wrong.
        p_value: The two-sided p-value; None where both counts are 0.
        by_group: Whether the p-value takes the groups of the images into account.
    """

    only_this: int
    only_other: int
    p_value: float | None
    by_group: bool = False


def compare_wrong(
    this_wrong: np.ndarray, other_wrong: np.ndarray, groups: Tensor | None = None
) -> Wrong:
    """Compare the errors of two models by McNemar's exact test.

    For images in groups, the p-value is at least that of ``mcnemar_by_group``.

    Args:
        this_wrong: Which images this model gets wrong, bool (N,).
        other_wrong: Which images the other model gets wrong, bool (N,).
        groups: The group of each image, int64 (N,); None for none.
    """
    compared = Wrong(*only_one_wrong(this_wrong, other_wrong))
    member = members(groups)
    if member is None or compared.p_value is None:
        return compared
    p = mcnemar_by_group(this_wrong, other_wrong, member)
    return compared._replace(p_value=max(compared.p_value, p), by_group=True)


def mcnemar_by_group(this_wrong: np.ndarray, other_wrong: np.ndarray, member: np.ndarray) -> float:
    """The p-value of McNemar's test for images in groups (Durkalski et al. 2003).

    ``member`` (N,) numbers the group of each image. At least one image has only one mask set.
    """
    apart = np.bincount(member, this_wrong.astype(float) - other_wrong)
    squares = float((apart**2).sum())
    return float(chi2.sf(apart.sum() ** 2 / squares, 1)) if squares > 0 else 1.0


def only_one_wrong(
    this_wrong: np.ndarray, other_wrong: np.ndarray
) -> tuple[int, int, float | None]:
    """Count the images that only one of two models gets wrong, from masks (N,) of their errors.

    The third value is the two-sided p-value of McNemar's exact test (1947), None where both counts
    are 0.
    """
    ours, theirs = int((this_wrong & ~other_wrong).sum()), int((~this_wrong & other_wrong).sum())
    if ours + theirs == 0:
        return 0, 0, None
    return ours, theirs, float(binomtest(ours, ours + theirs).pvalue)
