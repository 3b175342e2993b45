"""How good clusters are: every score of the table, and the one that a search maximises."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from hdbscan.validity import validity_index
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    pairwise_distances,
    silhouette_samples,
)

from borderline.pipelines.clustering.clusterings import NOISE, FittedClustering
from borderline.pipelines.clustering.params import ClusteringParams

SCORES = (
    "objective",
    "silhouette",
    "silhouette_error",
    "silhouette_original",
    "dbcv",
    "bic",
    "davies_bouldin",
    "calinski_harabasz",
    "scored",
    "clusters",
    "noise",
    "sizes",
)
_NORMAL = 1.959964


def degenerate(labels: np.ndarray, params: ClusteringParams) -> str:
    """Why clusters are none that anyone wants; empty where they are not.

    Args:
        labels: Shape (N,), -1 for noise.
        params: The limits.
    """
    sizes = np.bincount(labels[labels != NOISE])
    noise = float((labels == NOISE).mean())
    if len(sizes) < 2:
        return "fewer than two clusters"
    if sizes.min() < params.fewest_in_cluster:
        return f"a cluster of {sizes.min()} images"
    if noise > params.most_noise:
        return f"{noise:.0%} noise"
    if sizes.max() > params.most_in_cluster * sizes.sum():
        return f"{sizes.max() / sizes.sum():.0%} in one cluster"
    return ""


class Scorer:
    """Scores the clusters of the same embeddings in one reduced space after the other.

    Silhouettes and DBCV compare all pairs, so they are found on a random part of the images where
    there are many.

    Args:
        embeddings: Shape (N, D).
        params: The objective, its limits and how many images are scored.
        seed: Seed of the part.
    """

    def __init__(self, embeddings: np.ndarray, params: ClusteringParams, seed: int) -> None:
        self.params, self.images = params, len(embeddings)
        count = min(params.score_size, self.images)
        chosen = np.random.default_rng(seed).permutation(self.images)[:count]
        self.rows: np.ndarray = np.sort(chosen)
        self.embeddings = embeddings

    @cached_property
    def cosine_distances(self) -> np.ndarray:
        """Of the scored images in the embedding space."""
        return np.asarray(pairwise_distances(self.embeddings[self.rows], metric="cosine")).clip(0)

    def in_space(self, points: np.ndarray) -> SpaceScorer:
        """Score clusters in a space.

        Args:
            points: Where the images lie in it, shape (N, d).
        """
        return SpaceScorer(self, points)


@dataclass
class SpaceScorer:
    """Scores the clusters in one space.

    Attributes:
        scorer: What all spaces share.
        points: Shape (N, d), float64.
    """

    scorer: Scorer
    points: np.ndarray

    def objective(self, found: FittedClustering) -> float:
        """What the search maximises; NaN for degenerate clusters, or where it is not defined."""
        if degenerate(found.labels, self.scorer.params):
            return math.nan
        values = {"silhouette": self._silhouette, "silhouette_original": self._original}
        values |= {"dbcv": self._dbcv, "bic": self._likelihood}
        weights = self.scorer.params.weights
        return sum(weight * values[name](found) for name, weight in weights.items())

    def all(self, found: FittedClustering) -> dict[str, float | int | str]:
        """Every score of ``SCORES``; NaN where one is not defined.

        ``silhouette``, ``davies_bouldin`` and ``calinski_harabasz`` are of the reduced space with
        noise as a cluster of its own, the convention of Gomes et al. 2024;
        ``silhouette_original`` is of the embedding space by cosine distance and leaves noise out;
        ``dbcv`` is the density-based validity of the reduced space (Moulavi et al. 2014).
        ``silhouette_error`` is half the 95 % interval that comes from scoring only ``scored``
        images. ``noise`` is a share, ``sizes`` are those of the clusters.
        """
        labels = found.labels
        sizes = np.bincount(labels[labels != NOISE])
        values: dict[str, float | int | str] = dict.fromkeys(SCORES, math.nan)
        if len(np.unique(labels)) > 1:
            each = self._silhouettes(found)
            left_out = 1 - len(each) / len(labels)
            error = _NORMAL * each.std() * math.sqrt(left_out / len(each)) if len(each) else 0.0
            values |= {
                "silhouette": _mean(each),
                "silhouette_error": error,
                "davies_bouldin": float(davies_bouldin_score(self.points, labels)),
                "calinski_harabasz": float(calinski_harabasz_score(self.points, labels)),
            }
        return values | {
            "objective": self.objective(found),
            "silhouette_original": self._original(found),
            "dbcv": self._dbcv(found),
            "bic": -self._likelihood(found),
            "scored": len(self.scorer.rows),
            "clusters": len(sizes),
            "noise": float((labels == NOISE).mean()),
            "sizes": " ".join(str(size) for size in sizes),
        }

    @cached_property
    def _distances(self) -> np.ndarray:
        return np.asarray(pairwise_distances(self.points[self.scorer.rows]))

    def _silhouettes(self, found: FittedClustering) -> np.ndarray:
        return _silhouettes(self._distances, found.labels[self.scorer.rows])

    def _silhouette(self, found: FittedClustering) -> float:
        return _mean(self._silhouettes(found))

    def _original(self, found: FittedClustering) -> float:
        labels = found.labels[self.scorer.rows]
        kept = labels != NOISE
        distances = self.scorer.cosine_distances
        if not kept.all():
            distances = distances[np.ix_(kept, kept)]
        return _mean(_silhouettes(distances, labels[kept]))

    def _dbcv(self, found: FittedClustering) -> float:
        points, labels = self.points[self.scorer.rows], found.labels[self.scorer.rows]
        # It divides by the size of a cluster less one.
        sizes = np.bincount(labels[labels != NOISE])
        if (sizes > 1).sum() < 2:
            return math.nan
        labels = np.where(np.isin(labels, np.flatnonzero(sizes > 1)), labels, NOISE)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return float(validity_index(points, labels))
            except (AssertionError, ValueError):
                # Distances to the power of the dimensions may be too large for a number.
                return math.nan

    def _likelihood(self, found: FittedClustering) -> float:
        return -float(found.estimator.bic(self.points)) if found.kind == "gmm" else math.nan


def _silhouettes(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if not 1 < len(np.unique(labels)) < len(labels):
        return np.zeros(0)
    return np.asarray(silhouette_samples(distances, labels, metric="precomputed"))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
