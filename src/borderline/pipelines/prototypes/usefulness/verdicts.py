"""The shares of the verdicts among the images of each pattern, and among real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.findings import VERDICTS
from borderline.measures.intervals import estimate_of_grouped_share

COLUMNS = ("cluster", "of", "verdict", "images", "share", "low", "high", "prevails")
ALL = "all"
"""The cluster of the rows about all borderline images."""
REAL = "real"
"""The cluster of the rows about the real test images in the band."""


def share_verdicts(verdicts: np.ndarray, labels: np.ndarray, clusters: int) -> pd.DataFrame:
    """Count the verdicts in each cluster and in all images.

    A verdict prevails in a cluster if the 95 % interval of its share lies above the shares of all
    other verdicts.

    Args:
        verdicts: The verdict on each borderline image, one of ``VERDICTS``, shape (n,).
        labels: The cluster of each image, -1 for none, shape (n,).
        clusters: The number of clusters.

    Returns:
        A row a cluster and verdict with ``COLUMNS``: ``images`` of the ``of`` images of the cluster
        have the verdict, with Wilson's interval (1927) of that ``share``. The cluster ``all`` has
        all images, also those of no cluster.
    """
    places = {str(cluster): verdicts[labels == cluster] for cluster in range(clusters)}
    tables = [_table(name, inside) for name, inside in (places | {ALL: verdicts}).items()]
    return pd.concat(tables, ignore_index=True)


def share_real_verdicts(verdicts: np.ndarray, groups: Tensor | None) -> pd.DataFrame:
    """The same rows about real images, as the cluster ``real``.

    Args:
        verdicts: The verdict on each real test image in the band, shape (n,).
        groups: The groups of these images, int64 (n,), which the intervals respect; None for none.
    """
    return _table(REAL, verdicts, groups)


def _table(name: str, verdicts: np.ndarray, groups: Tensor | None = None) -> pd.DataFrame:
    hits = [torch.from_numpy(verdicts == verdict) for verdict in VERDICTS]
    shares = [estimate_of_grouped_share(hit, groups) for hit in hits]
    rows = []
    for i, (verdict, hit, share) in enumerate(zip(VERDICTS, hits, shares, strict=True)):
        others = [other.value for other in shares[:i] + shares[i + 1 :]]
        prevails = len(verdicts) > 0 and share.low > max(others)
        rows.append((name, len(verdicts), verdict, int(hit.sum()), *share, prevails))
    return pd.DataFrame(rows, columns=list(COLUMNS))
