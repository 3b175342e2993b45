"""The shares of the verdicts among the images of each pattern, and the pattern's own verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.findings import VERDICTS
from borderline.measures.intervals import estimate_of_share

COLUMNS = ("cluster", "of", "verdict", "images", "share", "low", "high", "prevails")
ALL = "all"
"""The cluster of the rows about all borderline images."""


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
    groups = {str(cluster): verdicts[labels == cluster] for cluster in range(clusters)}
    rows = []
    for name, group in (groups | {ALL: verdicts}).items():
        counts = [int((group == verdict).sum()) for verdict in VERDICTS]
        shares = [estimate_of_share(count, len(group)) for count in counts]
        for i, (verdict, count, share) in enumerate(zip(VERDICTS, counts, shares, strict=True)):
            others = [other.value for other in shares[:i] + shares[i + 1 :]]
            prevails = len(group) > 0 and share.low > max(others)
            rows.append((name, len(group), verdict, count, *share, prevails))
    return pd.DataFrame(rows, columns=list(COLUMNS))
