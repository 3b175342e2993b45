"""The patterns of one model that are patterns of the other model too."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.metrics.pairwise import cosine_distances

from borderline.boundary import Boundary
from borderline.findings import Findings
from borderline.measures.confusion import borderline_yield, confusion_distance
from borderline.measures.inference import embed, predict
from borderline.measures.intervals import estimate_of_share
from borderline.pipelines.compare.sides import Side

COLUMNS = [
    *("model", "pattern", "images", "unsure", "low", "high", "borderline", "mean_p", "verdict"),
    *("nearest", "nearest_share"),
]
SHARED, OWN, OPEN = "shared", "own", "open"
"""The other model is unsure of most images of the pattern; of fewer than half; undecided."""


class OtherModel(NamedTuple):
    """The other model's p (N,) and embeddings (N, D) of the images of a side.

    Also its embeddings of its own prototypes (K, D), where K may be 0, and its p of its own real
    test images (M,), and its decision boundary.
    """

    p: np.ndarray
    embeddings: np.ndarray
    prototypes: np.ndarray
    real_p: np.ndarray
    boundary: Boundary


def carry_both_over(this: Side, other: Side, unsure: float, device: torch.device) -> pd.DataFrame:
    """The patterns of both sides, each seen by the model of the opposite side."""
    tables = []
    for side, opposite in ((this, other), (other, this)):
        if not side.findings.patterns:
            continue
        images, prototypes = side.borderline["images"], opposite.prototypes["images"]
        model = opposite.classifier
        view = OtherModel(
            predict(model, images, device).numpy(),
            embed(model, images, device).numpy(),
            (embed(model, prototypes, device) if len(prototypes) else prototypes).numpy(),
            opposite.real_view["test_p"].numpy(),
            opposite.findings.boundary,
        )
        labels = side.clusters["labels"].numpy()
        tables.append(carry_over(side.name, side.findings, labels, view, unsure))
    return pd.concat(tables or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)


def carry_over(
    name: str, findings: Findings, labels: np.ndarray, other: OtherModel, unsure: float
) -> pd.DataFrame:
    """Decide which patterns of a model the other model shares.

    A pattern is ``shared`` if the 95 % interval (Wilson 1927) of the share of its images that the
    other model is unsure of lies above one half, ``own`` if it lies below, and ``open`` otherwise.
    Unsure is relative to the real images: the probabilities of two models may be confident to
    different degrees, so that almost no image would be in a fixed band of both. The other model
    counts as ``unsure`` of this share of its real test images, those with the least confidence.
    ``labels`` (N,) are the clusters of the borderline images.
    """
    distance, real = (
        confusion_distance(torch.from_numpy(p), other.boundary).numpy()
        for p in (other.p, other.real_p)
    )
    limit = np.quantile(real, unsure)
    rows = []
    seen: set[int] = set()
    for pattern in findings.patterns:
        here = labels == pattern.cluster
        # Some selections take two prototypes of a cluster, or one of no cluster.
        if pattern.cluster < 0 or pattern.cluster in seen or not here.any():
            continue
        seen.add(pattern.cluster)
        share = estimate_of_share(int((distance[here] < limit).sum()), int(here.sum()))
        verdict = SHARED if share.low > 0.5 else OWN if share.high < 0.5 else OPEN
        nearest, most = -1, np.nan
        if len(other.prototypes):
            joined = cosine_distances(other.embeddings[here], other.prototypes).argmin(1)
            counts = np.bincount(joined, minlength=len(other.prototypes))
            nearest, most = int(counts.argmax()), float(counts.max() / here.sum())
        borderline = borderline_yield(torch.from_numpy(other.p[here]), other.boundary)
        view = (borderline, float(other.p[here].mean()), verdict, nearest, most)
        rows.append((name, pattern.prototype, int(here.sum()), *share, *view))
    return pd.DataFrame(rows, columns=COLUMNS)
