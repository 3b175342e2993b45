"""The model's errors near the patterns."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

_COLUMNS = ("cluster", "images", "errors", "share_of_errors", "error_rate", "lift", "p_value")


def errors_near(
    labels: np.ndarray, near: np.ndarray, wrong: np.ndarray, clusters: int
) -> pd.DataFrame:
    """Count the model's errors near each cluster, and test whether they are more frequent there.

    Args:
        labels: The cluster that each test image joins, shape (N,); -1 for none.
        near: Whether it is near that cluster, shape (N,).
        wrong: Whether the model's answer is wrong, shape (N,).
        clusters: The number of clusters.

    Returns:
        One row a cluster, one for ``any`` of them and one for ``none`` (without clusters only
        ``any``, empty): the ``lift`` is over the error rate of all images, the p-value is that of
        Fisher's exact test (one-sided).
    """
    if clusters == 0:
        return pd.DataFrame([dict.fromkeys(_COLUMNS) | {"cluster": "any"}]).astype(
            {"share_of_errors": float}
        )
    inside = near & (labels >= 0)
    places = {str(cluster): inside & (labels == cluster) for cluster in range(clusters)}
    places |= {"any": inside, "none": ~inside}
    rows = []
    for name, here in places.items():
        images, errors = int(here.sum()), int((here & wrong).sum())
        elsewhere, others = int((~here).sum()), int((~here & wrong).sum())
        rate = errors / images if images else math.nan
        table = [[errors, images - errors], [others, elsewhere - others]]
        share = errors / wrong.sum() if wrong.any() else math.nan
        lift = rate / wrong.mean() if wrong.any() else math.nan
        p = float(fisher_exact(table, alternative="greater").pvalue)
        rows.append((name, images, errors, share, rate, lift, p))
    return pd.DataFrame(rows, columns=list(_COLUMNS))
