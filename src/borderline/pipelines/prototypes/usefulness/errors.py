"""The model's errors near the patterns."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from scipy.stats import fisher_exact
from torch import Tensor

from borderline.measures.intervals import estimate_of_grouped_share, members, score_test_by_group

_COLUMNS = ("cluster", "images", "errors", "share_of_errors", "error_rate", "lift", "p_value")


def errors_near(
    near: np.ndarray,
    wrong: np.ndarray,
    clusters: int,
    groups: Tensor | None = None,
) -> pd.DataFrame:
    """Count the model's errors near each cluster, and test whether they are more frequent there.

    Args:
        near: The cluster that each test image lies near, shape (N,); -1 for none.
        wrong: Whether the model's answer is wrong, shape (N,).
        clusters: The number of clusters.
        groups: The group of each test image, shape (N,); None for none.

    Returns:
        One row a cluster, one for ``any`` of them and one for ``none`` (without clusters only
        ``any``, empty): the ``lift`` is over the error rate of all images, the p-value is that of
        Fisher's exact test (one-sided). With groups the p-value is at least that of the score test
        by group, and there are the 95 % intervals of the shares of images and of errors, by group.
    """
    if clusters == 0:
        return pd.DataFrame([dict.fromkeys(_COLUMNS) | {"cluster": "any"}]).astype(
            {"share_of_errors": float}
        )
    inside = near >= 0
    places = {str(cluster): near == cluster for cluster in range(clusters)}
    places |= {"any": inside, "none": ~inside}
    rows, member = [], members(groups)
    for name, here in places.items():
        images, errors = int(here.sum()), int((here & wrong).sum())
        elsewhere, others = int((~here).sum()), int((~here & wrong).sum())
        rate = errors / images if images else math.nan
        table = [[errors, images - errors], [others, elsewhere - others]]
        share = errors / wrong.sum() if wrong.any() else math.nan
        lift = rate / wrong.mean() if wrong.any() else math.nan
        p = float(fisher_exact(table, alternative="greater").pvalue)
        if member is not None:
            # NaN, for images of one group, stays NaN.
            p = float(np.maximum(p, score_test_by_group(wrong, here, member)))
        rows.append((name, images, errors, share, rate, lift, p))
    counted = pd.DataFrame(rows, columns=list(_COLUMNS))
    return counted if groups is None else counted.join(_shares(places, wrong, groups))


def _shares(places: dict[str, np.ndarray], wrong: np.ndarray, groups: Tensor) -> pd.DataFrame:
    """The ends of the intervals of the shares of images and of errors near each place, by group."""
    rows = []
    for here in map(torch.from_numpy, places.values()):
        of_images = estimate_of_grouped_share(here, groups)
        of_errors = estimate_of_grouped_share(here[wrong], groups[wrong])
        rows.append((*of_images[1:], *of_errors[1:]))
    names = ("share_of_images", "share_of_errors")
    ends = [f"{name}_{end}" for name in names for end in ("low", "high")]
    return pd.DataFrame(rows, columns=ends)
