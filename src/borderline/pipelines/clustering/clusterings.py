"""Kinds of clustering, and the clusters that they give."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hdbscan
import numpy as np
from joblib import Memory
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from borderline.pipelines.clustering.params import ClusteringKind

NOISE = -1
SPREAD = 4
"""The search tries one in so many clusterings of a kind first."""
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Clustering:
    """A kind of clustering with its settings, which are arguments of the library's estimator.

    Mixtures have full covariances, and HDBSCAN selects the leaves of its tree.
    """

    kind: ClusteringKind
    settings: Mapping[str, float]

    def of_number(self, clusters: int) -> Clustering:
        """The same kind with a number of clusters, which HDBSCAN does not have."""
        name = {"gmm": "n_components", "kmeans": "n_clusters"}[self.kind]
        return Clustering(self.kind, {name: clusters})

    def is_near(self, best: Clustering) -> bool:
        """Whether this may be better than the best of the spread clusterings.

        Scores are smooth in the number of clusters, so only numbers around the best one may be.
        """
        if self.kind == "hdbscan":
            return True
        (number,), (best_number,) = self.settings.values(), best.settings.values()
        return abs(number - best_number) < SPREAD

    def fit(
        self, points: np.ndarray, seed: int, memory: Memory | None = None
    ) -> FittedClustering | None:
        """Cluster points (N, d), float64; None where the settings do not fit the points.

        ``memory`` caches HDBSCAN's tree, which all its settings share; clusters that are fitted
        with one cannot assign new points.
        """
        estimator = self._estimator(seed, memory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                labels = estimator.fit_predict(points)
            except ValueError:
                # More clusters than points, or a mixture that shrank to a point.
                return None
        numbers, sizes = np.unique(labels[labels != NOISE], return_counts=True)
        order = numbers[np.argsort(-sizes, kind="stable")]
        return FittedClustering(self.kind, estimator, order, _renumbered(labels, order))

    def _estimator(self, seed: int, memory: Memory | None) -> Any:
        if self.kind == "gmm":
            return GaussianMixture(**self.settings, init_params="k-means++", random_state=seed)
        if self.kind == "kmeans":
            return KMeans(**self.settings, n_init=10, random_state=seed)
        cache = {"prediction_data": True} if memory is None else {"memory": memory}
        return hdbscan.HDBSCAN(
            **self.settings, cluster_selection_method="leaf", core_dist_n_jobs=1, **cache
        )


@dataclass(frozen=True)
class FittedClustering:
    """Clusters of points, with labels (N,) numbered from the largest cluster; -1 for noise.

    ``order`` has the estimator's numbers of the clusters, largest first.
    """

    kind: ClusteringKind
    estimator: Any
    order: np.ndarray
    labels: np.ndarray

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """Probabilities of the labels of the fitted points (N, d), as in ``assign``, shape (N,)."""
        if self.kind == "hdbscan":
            return np.asarray(self.estimator.probabilities_, dtype=np.float64)
        return self.assign(points)[1]

    def assign(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels (M,), -1 for noise, of new points (M, d), and their probabilities in [0, 1].

        The probability is the posterior of a mixture's component, that of k-means for round
        components of one width, or HDBSCAN's strength of membership, 0 for noise.
        """
        if len(points) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        if self.kind == "hdbscan":
            if self.estimator.cluster_selection_epsilon > 0:
                return self._assign_like_nearest(points)
            labels, strengths = hdbscan.approximate_predict(self.estimator, points)
            return _renumbered(labels, self.order), strengths.astype(np.float64)
        if self.kind == "gmm":
            # Not 0, because a point may lie in a component without fitted points.
            posterior = self.estimator.predict_proba(points)[:, self.order] + _TINY
            posterior /= posterior.sum(1, keepdims=True)
        else:
            # In one dimension.
            variance = self.estimator.inertia_ / len(self.labels) / points.shape[1]
            squares = self.estimator.transform(points)[:, self.order] ** 2
            posterior = softmax(-squares / (2 * max(variance, _TINY)), axis=1)
        return posterior.argmax(1), posterior.max(1)

    def _assign_like_nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give each point the label of the nearest fitted point, if that is near enough.

        The limit is the largest gap between neighbours of that cluster, or the epsilon.
        ``approximate_predict`` ignores ``cluster_selection_epsilon``: it assigns points to the
        leaves of the tree that the epsilon has merged.
        """
        fitted = self.estimator.prediction_data_.raw_data
        near = NearestNeighbors(n_neighbors=1).fit(fitted)
        gaps = near.kneighbors()[0][:, 0]
        limits = np.full(len(self.order) + 1, self.estimator.cluster_selection_epsilon)
        np.maximum.at(limits, self.labels, gaps)
        distances, rows = near.kneighbors(points)
        labels = self.labels[rows[:, 0]]
        strengths = self.probabilities(fitted)[rows[:, 0]]
        near_enough = distances[:, 0] <= limits[labels]
        return np.where(near_enough, labels, NOISE), np.where(near_enough, strengths, 0.0)


def _renumbered(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    numbers = {int(former): number for number, former in enumerate(order)}
    return np.array([numbers.get(int(label), NOISE) for label in labels], dtype=np.int64)
