"""Kinds of clustering, and the clusters that they give."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import hdbscan
import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors, RadiusNeighborsClassifier

from borderline.pipelines.clustering.params import ClusteringKind

NOISE = -1
SPREAD = 4
"""The search tries one in so many clusterings of a kind first."""
_NUMBERS = {"gmm": "n_components", "kmeans": "n_clusters", "ward": "n_clusters"}
"""The setting with the number of clusters; the other kinds find the number themselves."""
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Clustering:
    """A kind of clustering with its settings, which are arguments of the library's estimator.

    Without a setting for it, mixtures have full covariances, and HDBSCAN selects the leaves of its
    tree. The ``eps`` of DBSCAN is relative to the points (see ``DbscanSpace``).
    """

    kind: ClusteringKind
    settings: Mapping[str, Any]

    def of_number(self, clusters: int) -> Clustering:
        """The same with a number of clusters; itself for HDBSCAN and DBSCAN, which find it."""
        if self.kind not in _NUMBERS:
            return self
        return Clustering(self.kind, {**self.settings, _NUMBERS[self.kind]: clusters})

    def is_near(self, best: Clustering) -> bool:
        """Whether this may be better than the best of the spread clusterings.

        Scores are smooth in the number of clusters, so only numbers around the best one may be.
        """
        if self.kind not in _NUMBERS:
            return True
        name = _NUMBERS[self.kind]
        return bool(abs(self.settings[name] - best.settings[name]) < SPREAD)

    def fit(
        self, points: np.ndarray, seed: int, memory: Trees | None = None
    ) -> FittedClustering | None:
        """Cluster points (N, d), float64; None where the settings do not fit the points.

        ``memory`` keeps the trees of HDBSCAN and Ward for other settings; clusters of HDBSCAN that
        are fitted with one cannot assign new points.
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
        labels = _renumbered(labels, order)
        return FittedClustering(self.kind, estimator, order, labels, self.settings)

    def _estimator(self, seed: int, memory: Trees | None) -> Any:
        if self.kind == "gmm":
            return GaussianMixture(**self.settings, init_params="k-means++", random_state=seed)
        if self.kind == "kmeans":
            return KMeans(**self.settings, n_init=10, random_state=seed)
        if self.kind == "ward":
            return Ward(**self.settings, memory=memory)
        if self.kind == "dbscan":
            return Dbscan(**self.settings)
        cache = {"prediction_data": True} if memory is None else {"memory": memory}
        settings = {"cluster_selection_method": "leaf", **self.settings, **cache}
        return hdbscan.HDBSCAN(core_dist_n_jobs=1, **settings)


class Trees:
    """Keeps the trees that HDBSCAN and Ward build from the same points, for all their settings.

    It stands for a ``joblib.Memory``, which would hash the points for each setting.
    """

    def __init__(self) -> None:
        self._trees: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()

    def cache(self, build: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which builds a tree of its first argument once for the other arguments."""

        def cached(points: np.ndarray, *settings: Any, **named: Any) -> Any:
            key = build.__name__, settings, tuple(named.items())
            with self._lock:
                if key not in self._trees:
                    self._trees[key] = build(points, *settings, **named)
                return self._trees[key]

        return cached


class Ward(AgglomerativeClustering):
    """Ward's method (1963), whose clusters new points join by the nearest mean.

    It joins the clusters that add least to the squares around their means, of which k-means finds
    a minimum too. So the posterior is that of k-means.
    """

    def fit_predict(self, X: np.ndarray, y: None = None) -> np.ndarray:
        """Labels (N,) of points (N, d)."""
        labels = np.asarray(super().fit_predict(X))
        self.means_ = np.array([X[labels == cluster].mean(0) for cluster in np.unique(labels)])
        self.inertia_ = float(((X - self.means_[labels]) ** 2).sum())
        return labels

    def transform(self, points: np.ndarray) -> np.ndarray:
        """Distances (M, K) of points (M, d) to the means."""
        return np.asarray(cdist(points, self.means_))


class Dbscan(DBSCAN):
    """DBSCAN (Ester et al. 1996) with a radius relative to the points (see ``DbscanSpace``).

    New points join the cluster of most of the core points within the radius.
    """

    def fit_predict(self, X: np.ndarray, y: None = None) -> np.ndarray:
        """Labels (N,) of points (N, d), -1 for noise."""
        near = NearestNeighbors(n_neighbors=self.min_samples).fit(X)
        self.radius_ = self.eps * float(np.median(near.kneighbors(X)[0][:, -1]))
        found = DBSCAN(eps=self.radius_, min_samples=self.min_samples).fit(X)
        core, labels = found.core_sample_indices_, np.asarray(found.labels_)
        self.core_, self.of_core_ = X[core], labels[core]
        return labels

    def predict_proba(self, points: np.ndarray) -> np.ndarray:
        """Shares (M, K) of the clusters in the core points around points (M, d); 0 for noise."""
        near = RadiusNeighborsClassifier(self.radius_, outlier_label=NOISE)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*[Oo]utlier label")
            return np.asarray(near.fit(self.core_, self.of_core_).predict_proba(points))


@dataclass(frozen=True)
class FittedClustering:
    """Clusters of points, with labels (N,) numbered from the largest cluster; -1 for noise.

    ``order`` has the estimator's numbers of the clusters, largest first.
    """

    kind: ClusteringKind
    estimator: Any
    order: np.ndarray
    labels: np.ndarray
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def clustering(self) -> Clustering:
        """The clustering that was fitted."""
        return Clustering(self.kind, self.settings)

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """Probabilities of the labels of the fitted points (N, d), as in ``assign``, shape (N,)."""
        if self.kind == "hdbscan":
            return np.asarray(self.estimator.probabilities_, dtype=np.float64)
        posterior = self._posterior(points)
        own = posterior[np.arange(len(points)), self.labels.clip(0)]
        return np.where(self.labels == NOISE, 0.0, own)

    def assign(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels (M,), -1 for noise, of new points (M, d), and their probabilities in [0, 1].

        The probability is the posterior of a mixture's component, that of k-means and Ward for
        round components of one width, HDBSCAN's strength of membership, or the share of the
        cluster in DBSCAN's core points around the point. It is 0 for noise.
        """
        if len(points) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        if self.kind == "hdbscan":
            if self.estimator.cluster_selection_epsilon > 0:
                return self._assign_like_nearest(points)
            labels, strengths = hdbscan.approximate_predict(self.estimator, points)
            return _renumbered(labels, self.order), strengths.astype(np.float64)
        posterior = self._posterior(points)
        probabilities = posterior.max(1)
        return np.where(probabilities > 0, posterior.argmax(1), NOISE), probabilities

    def _posterior(self, points: np.ndarray) -> np.ndarray:
        """Probabilities (M, K) of the clusters for points (M, d); all 0 for noise."""
        if self.kind == "dbscan":
            return np.asarray(self.estimator.predict_proba(points)[:, self.order])
        if self.kind == "gmm":
            # Not 0, because a point may lie in a component without fitted points.
            posterior = self.estimator.predict_proba(points)[:, self.order] + _TINY
            return np.asarray(posterior / posterior.sum(1, keepdims=True))
        # In one dimension.
        variance = self.estimator.inertia_ / len(self.labels) / points.shape[1]
        squares = self.estimator.transform(points)[:, self.order] ** 2
        return np.asarray(softmax(-squares / (2 * max(variance, _TINY)), axis=1))

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
    if len(order) == 0:
        return np.full(len(labels), NOISE, dtype=np.int64)
    # Its last entry is that of -1.
    numbers = np.full(max(labels.max(initial=0), order.max()) + 2, NOISE, dtype=np.int64)
    numbers[order] = np.arange(len(order))
    return np.asarray(numbers[labels])
