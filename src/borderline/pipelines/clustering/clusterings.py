"""Ways to cluster points, and the clusters that they find."""

from __future__ import annotations

import itertools
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

from borderline.pipelines.clustering.params import ClusteringKind, ClusteringParams

NOISE = -1
# Each so many of a kind's settings are tried first.
_EVERY = 4
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Clustering:
    """A kind of clustering with its settings.

    Attributes:
        kind: ``gmm`` (full covariance), ``kmeans`` or ``hdbscan`` (leaf selection).
        settings: What the kind is called with.
    """

    kind: ClusteringKind
    settings: Mapping[str, float]

    def is_near(self, best: Clustering) -> bool:
        """Whether this may be better than the best of those that are spread over the space.

        Scores are smooth in the number of clusters, so only the numbers around the best one are.
        """
        if self.kind == "hdbscan":
            return True
        (number,), (best_number,) = self.settings.values(), best.settings.values()
        return abs(number - best_number) < _EVERY

    def fit(
        self, points: np.ndarray, seed: int, memory: Memory | None = None
    ) -> FittedClustering | None:
        """Cluster points.

        Args:
            points: Shape (N, d), float64.
            seed: The result repeats bit for bit.
            memory: Where HDBSCAN keeps its tree, which all its settings share; what is found with
                one assigns no new points.

        Returns:
            The clusters; None where these settings cannot have any.
        """
        estimator = self._estimator(seed, memory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                labels = estimator.fit_predict(points)
            except ValueError:
                # More clusters than points, or a mixture that shrank to a point.
                return None
        found, sizes = np.unique(labels[labels != NOISE], return_counts=True)
        order = found[np.argsort(-sizes, kind="stable")]
        return FittedClustering(self.kind, estimator, order, _renumbered(labels, order))

    def _estimator(self, seed: int, memory: Memory | None) -> Any:
        if self.kind == "gmm":
            return GaussianMixture(
                **self.settings,
                covariance_type="full",
                init_params="k-means++",
                random_state=seed,
            )
        if self.kind == "kmeans":
            return KMeans(**self.settings, n_init=3, random_state=seed)
        kept = {"prediction_data": True} if memory is None else {"memory": memory}
        return hdbscan.HDBSCAN(
            **self.settings, cluster_selection_method="leaf", core_dist_n_jobs=1, **kept
        )


@dataclass(frozen=True)
class FittedClustering:
    """The clusters that were found.

    Attributes:
        kind: The kind that found them.
        estimator: The library's own object.
        order: Its numbers of the clusters, by falling size.
        labels: The cluster of each point, shape (N,), numbered by falling size, none of them
            empty; -1 for noise.
    """

    kind: ClusteringKind
    estimator: Any
    order: np.ndarray
    labels: np.ndarray

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """How sure the fitted points' own labels are, as ``assign`` has it.

        Args:
            points: The fitted ones, shape (N, d).

        Returns:
            Values in [0, 1], shape (N,).
        """
        if self.kind == "hdbscan":
            return np.asarray(self.estimator.probabilities_, dtype=np.float64)
        return self.assign(points)[1]

    def assign(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cluster of new points.

        Args:
            points: Shape (M, d), float64; may be none.

        Returns:
            Labels, shape (M,), -1 for noise; and their probabilities in [0, 1], shape (M,). That
            of a mixture is the posterior of the component; that of k-means the same for round
            components of one width; that of HDBSCAN the strength of membership, 0 for noise.
        """
        if len(points) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        if self.kind == "hdbscan" and self.estimator.cluster_selection_epsilon > 0:
            return self._as_the_nearest(points)
        if self.kind == "hdbscan":
            labels, strengths = hdbscan.approximate_predict(self.estimator, points)
            return _renumbered(labels, self.order), strengths.astype(np.float64)
        if self.kind == "gmm":
            # Not 0, for a point may lie in a component that no fitted point is in.
            posterior = self.estimator.predict_proba(points)[:, self.order] + _TINY
            posterior /= posterior.sum(1, keepdims=True)
        else:
            # Variance in one dimension.
            variance = self.estimator.inertia_ / len(self.labels) / points.shape[1]
            squares = self.estimator.transform(points)[:, self.order] ** 2
            posterior = softmax(-squares / (2 * max(variance, _TINY)), axis=1)
        return posterior.argmax(1), posterior.max(1)

    def _as_the_nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As the nearest fitted point is, if no further from it than its cluster is loose.

        hdbscan's own prediction knows nothing of ``cluster_selection_epsilon``: it assigns to the
        leaves of the tree that the epsilon has merged.
        """
        fitted = self.estimator.prediction_data_.raw_data
        near = NearestNeighbors(n_neighbors=1).fit(fitted)
        gaps = near.kneighbors()[0][:, 0]
        loose = np.full(len(self.order) + 1, self.estimator.cluster_selection_epsilon)
        np.maximum.at(loose, self.labels, gaps)
        distances, rows = near.kneighbors(points)
        labels = self.labels[rows[:, 0]]
        strengths = self.probabilities(fitted)[rows[:, 0]]
        kept = distances[:, 0] <= loose[labels]
        return np.where(kept, labels, NOISE), np.where(kept, strengths, 0.0)


def sweep(
    kind: ClusteringKind, params: ClusteringParams
) -> tuple[list[Clustering], list[Clustering]]:
    """The clusterings of a kind that the search tries.

    Returns:
        Some that are spread over the space, and all others.
    """
    if kind == "hdbscan":
        space = params.hdbscan
        every = [
            {
                "min_cluster_size": size,
                "min_samples": space.min_samples,
                "cluster_selection_epsilon": epsilon,
            }
            for epsilon, size in itertools.product(
                space.cluster_selection_epsilon, _all_of(space.min_cluster_size)
            )
        ]
    elif kind == "gmm":
        every = [{"n_components": n} for n in _all_of(params.gmm.n_components)]
    else:
        every = [{"n_clusters": n} for n in _all_of(params.kmeans.n_clusters)]
    clusterings = [Clustering(kind, settings) for settings in every]
    others = [c for number, c in enumerate(clusterings) if number % _EVERY]
    return clusterings[::_EVERY], others


def _all_of(bounds: tuple[int, int]) -> range:
    return range(bounds[0], bounds[1] + 1)


def _renumbered(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    numbers = {int(former): number for number, former in enumerate(order)}
    return np.array([numbers.get(int(label), NOISE) for label in labels], dtype=np.int64)
