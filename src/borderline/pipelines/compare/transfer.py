"""Which patterns of one model are patterns of another too."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import cosine_distances

from borderline.findings import Findings
from borderline.measures.intervals import estimate_of_share

COLUMNS = (
    *("model", "pattern", "images", "unsure", "low", "high", "borderline", "mean_p", "verdict"),
    *("nearest", "nearest_share"),
)
SHARED, OWN, OPEN = "shared", "own", "open"
"""Verdicts: the other model is unsure of most images too; of fewer than half; or it is open."""

_MOST = 0.5


class Judge(NamedTuple):
    """The other model, as it sees the images of a pattern.

    Attributes:
        p: Its probabilities of the images, shape (N,).
        embeddings: Its embeddings of them, shape (N, D).
        prototypes: Its embeddings of its own prototypes, shape (K, D); may be none.
        real_p: Its probabilities of the real test images, shape (M,).
    """

    p: np.ndarray
    embeddings: np.ndarray
    prototypes: np.ndarray
    real_p: np.ndarray


def carry_over(
    name: str, found: Findings, labels: np.ndarray, judge: Judge, unsure: float
) -> pd.DataFrame:
    """What another model says of each pattern of a model.

    A pattern is ``shared`` where the other model is unsure of most of its images, that is, where
    the whole 95 % interval of their share (Wilson 1927) is above one half; it is the model's
    ``own`` where the whole interval is below, and else ``open``. Unsure is relative: two models
    that hesitate at the same images may be sure to different degrees, so a fixed band around 0.5
    would call almost nothing shared.

    Args:
        name: Of the model.
        found: The findings about it.
        labels: The clusters of its borderline images, shape (N,).
        judge: The other model on the same images.
        unsure: The share of real test images that count as those it is least sure of.

    Returns:
        A row a pattern by ``COLUMNS``: the share of its images that the other is ``unsure`` of,
        the share that is ``borderline`` for it, and which of its own prototypes is ``nearest`` to
        most of them.
    """
    distance, real = np.abs(judge.p - 0.5), np.abs(judge.real_p - 0.5)
    limit = np.quantile(real, unsure)
    rows = []
    seen: set[int] = set()
    for pattern in found.patterns:
        here = labels == pattern.cluster
        # Some ways to choose prototypes take two of a cluster, or one of none.
        if pattern.cluster < 0 or pattern.cluster in seen or not here.any():
            continue
        seen.add(pattern.cluster)
        share = estimate_of_share(int((distance[here] < limit).sum()), int(here.sum()))
        verdict = SHARED if share.low > _MOST else OWN if share.high < _MOST else OPEN
        nearest, most = -1, np.nan
        if len(judge.prototypes):
            joined = cosine_distances(judge.embeddings[here], judge.prototypes).argmin(1)
            counts = np.bincount(joined, minlength=len(judge.prototypes))
            nearest, most = int(counts.argmax()), float(counts.max() / here.sum())
        borderline = float((distance[here] < found.band).mean())
        said = (borderline, float(judge.p[here].mean()), verdict, nearest, most)
        rows.append((name, pattern.prototype, int(here.sum()), *share, *said))
    return pd.DataFrame(rows, columns=list(COLUMNS))
