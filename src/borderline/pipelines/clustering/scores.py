"""Scores of clusters, and the objective that a search maximises."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from hdbscan.validity import distances_between_points, internal_minimum_spanning_tree
from scipy.sparse import coo_array
from scipy.spatial.distance import cdist
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    pairwise_distances,
)
from sklearn.preprocessing import normalize

from borderline.pipelines.clustering.clusterings import NOISE, Clustering, FittedClustering
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.pool import Groups, find_artefacts
from borderline.pipelines.clustering.reproducibility import (
    shallowest_valley,
    strength_over_generators,
    strength_over_halves,
)
from borderline.threads import threads_of_node

SCORES = (
    *("objective", "silhouette", "silhouette_error", "silhouette_original", "dbcv", "bic"),
    *("davies_bouldin", "calinski_harabasz"),
    *("prediction_strength", "strength_over_generators", "valley", "artefact_clusters"),
    *("scored", "clusters", "noise", "sizes"),
)
ORIGINAL_INDEX = "davies_bouldin_original"
_NORMAL = 1.959964


def more_scores(params: ClusteringParams) -> list[str]:
    """The scores that only a search for them has in its tables."""
    return [ORIGINAL_INDEX] if ORIGINAL_INDEX in params.weights else []


class Reproduced(NamedTuple):
    """Whether clusters are found again.

    Each of the three figures is measured only where those before it are good enough, else NaN.

    Attributes:
        strength: Prediction strength over halves.
        generators: The same over generators; NaN too where the others have too few images.
        valley: The shallowest valley between two clusters.
        patterns: The number of clusters that are no artefact, 0 where they are not found again.
    """

    strength: float
    generators: float
    valley: float
    patterns: int


def degenerate(labels: np.ndarray, params: ClusteringParams) -> str:
    """Why clusters with labels (N,), -1 for noise, are degenerate; empty where they are not."""
    sizes = np.bincount(labels[labels != NOISE])
    noise = float((labels == NOISE).mean())
    if len(sizes) < 2:
        return "fewer than two clusters"
    if params.most_patterns is not None and len(sizes) > params.most_patterns:
        return f"more clusters than these images can carry ({params.most_patterns})"
    if sizes.min() < params.fewest_in_cluster:
        return f"a cluster of {sizes.min()} images"
    if noise > params.most_noise:
        return f"{noise:.0%} noise"
    if sizes.max() > params.most_in_cluster * sizes.sum():
        return f"{sizes.max() / sizes.sum():.0%} in one cluster"
    return ""


class Scorer:
    """Scores clusters of the same embeddings (N, D) in many reduced spaces.

    Silhouettes and DBCV compare all pairs, so they use a random sample of ``score_size`` images.
    ``groups`` are the embeddings of each generator and of each GAN, where several have made them.
    Clusterings are fitted and scored in ``threads``.
    """

    def __init__(
        self,
        embeddings: np.ndarray,
        params: ClusteringParams,
        seed: int,
        groups: Groups | None = None,
        threads: int | None = None,
    ) -> None:
        self.embeddings, self.params, self.seed = embeddings, params, seed
        self.groups = groups or {}
        self.threads = threads or threads_of_node()
        drawn = np.random.default_rng(seed).permutation(len(embeddings))[: params.score_size]
        self.rows: np.ndarray = np.sort(drawn)

    @cached_property
    def cosine_distances(self) -> np.ndarray:
        """Between the scored images, in the embedding space."""
        distances = pairwise_distances(self.embeddings[self.rows], metric="cosine")
        return np.asfortranarray(distances.clip(0))

    def in_space(self, points: np.ndarray) -> SpaceScorer:
        """A scorer of clusters in one space."""
        return SpaceScorer(self, points)


@dataclass
class SpaceScorer:
    """Scores clusters in one space, from the coordinates (N, d), float64, of all images."""

    scorer: Scorer
    points: np.ndarray
    _measured: dict[str, Reproduced] = field(default_factory=dict)

    def objective(self, clusters: FittedClustering) -> float:
        """The objective of the search; NaN for degenerate clusters or where it is undefined."""
        if degenerate(clusters.labels, self.scorer.params):
            return math.nan
        values = {
            "silhouette": lambda clusters: _mean(self._silhouettes(clusters)),
            "silhouette_original": self._original,
            "dbcv": self._dbcv,
            "bic": self._likelihood,
            "reproducibility": self._reproducibility,
            "davies_bouldin": lambda clusters: -_davies_bouldin(self.points, clusters.labels),
            "davies_bouldin_original": lambda clusters: -self._davies_bouldin_original(clusters),
        }
        weights = self.scorer.params.weights
        return sum(weight * values[name](clusters) for name, weight in weights.items())

    def all(self, clusters: FittedClustering) -> dict[str, float | int | str]:
        """All scores of ``SCORES``; NaN where one is undefined.

        In the reduced space, with noise as one cluster (Gomes et al. 2024): ``silhouette``,
        ``davies_bouldin``, ``calinski_harabasz``. In the embedding space, by cosine distance,
        without noise: ``silhouette_original``. ``dbcv`` is the density-based validity in the
        reduced space (Moulavi et al. 2014). ``silhouette_error`` is half the 95 % interval that is
        due to scoring only ``scored`` images; ``noise`` is a share. ``prediction_strength``,
        ``strength_over_generators``, ``valley`` and ``artefact_clusters`` (see ``Reproduced``)
        are known for the objective ``reproducibility`` only. ``davies_bouldin_original``, on unit
        vectors in the embedding space without noise, is there only where it is an objective.
        """
        labels = clusters.labels
        sizes = np.bincount(labels[labels != NOISE])
        values: dict[str, float | int | str] = dict.fromkeys(SCORES, math.nan)
        if len(np.unique(labels)) > 1:
            each = self._silhouettes(clusters)
            unscored = 1 - len(each) / len(labels)
            error = _NORMAL * each.std() * math.sqrt(unscored / len(each)) if len(each) else 0.0
            values |= {
                "silhouette": _mean(each),
                "silhouette_error": error,
                "davies_bouldin": float(davies_bouldin_score(self.points, labels)),
                "calinski_harabasz": float(calinski_harabasz_score(self.points, labels)),
            }
        if "reproducibility" in self.scorer.params.weights:
            again = self.reproduced(clusters)
            values |= {
                "prediction_strength": again.strength,
                "strength_over_generators": again.generators,
                "valley": again.valley,
                "artefact_clusters": len(self._artefacts(clusters)),
            }
        if more_scores(self.scorer.params):
            values[ORIGINAL_INDEX] = self._davies_bouldin_original(clusters)
        return values | {
            "objective": self.objective(clusters),
            "silhouette_original": self._original(clusters),
            "dbcv": self._dbcv(clusters),
            "bic": -self._likelihood(clusters),
            "scored": len(self.scorer.rows),
            "clusters": len(sizes),
            "noise": float((labels == NOISE).mean()),
            "sizes": " ".join(str(size) for size in sizes),
        }

    @cached_property
    def _distances(self) -> np.ndarray:
        return np.asfortranarray(pairwise_distances(self.points[self.scorer.rows]))

    def _silhouettes(self, clusters: FittedClustering) -> np.ndarray:
        return _silhouettes(self._distances, clusters.labels[self.scorer.rows])

    def _original(self, clusters: FittedClustering) -> float:
        labels = clusters.labels[self.scorer.rows]
        clustered = labels != NOISE
        distances = self.scorer.cosine_distances
        if not clustered.all():
            distances = distances.T[np.ix_(clustered, clustered)].T
        return _mean(_silhouettes(distances, labels[clustered]))

    def _davies_bouldin_original(self, clusters: FittedClustering) -> float:
        clustered = clusters.labels != NOISE
        units = normalize(self.scorer.embeddings[clustered].astype(np.float64))
        return _davies_bouldin(units, clusters.labels[clustered])

    def _dbcv(self, clusters: FittedClustering) -> float:
        points, labels = self.points[self.scorer.rows], clusters.labels[self.scorer.rows]
        # DBCV divides by the size of a cluster minus one.
        sizes = np.bincount(labels[labels != NOISE])
        if (sizes > 1).sum() < 2:
            return math.nan
        labels = np.where(np.isin(labels, np.flatnonzero(sizes > 1)), labels, NOISE)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return _density_validity(points, labels)
            except (AssertionError, ValueError):
                # Distances to the power of the dimensions may overflow.
                return math.nan

    def reproduced(self, clusters: FittedClustering) -> Reproduced:
        """Whether clusters are found again, in halves and without any one generator."""
        clustering = clusters.clustering.of_number(len(clusters.order))
        key = repr(clustering)
        if key not in self._measured:
            self._measured[key] = self._reproduce(clusters, clustering)
        return self._measured[key]

    def _reproduce(self, clusters: FittedClustering, clustering: Clustering) -> Reproduced:
        limits, seed = self.scorer.params.reproducibility, self.scorer.seed
        strength = strength_over_halves(self.points, clustering, limits.splits, seed, limits.least)
        if not strength >= limits.least:
            return Reproduced(strength, math.nan, math.nan, 0)
        groups, labels = self.scorer.groups, clusters.labels
        generators = strength_over_generators(
            self.points, labels, clustering, groups, limits.artefact, seed
        )
        if generators < limits.least:
            return Reproduced(strength, generators, math.nan, 0)
        kept = np.where(np.isin(labels, list(self._artefacts(clusters))), NOISE, labels)
        valley = shallowest_valley(self.points, kept, seed)
        patterns = len(np.unique(kept[kept != NOISE]))
        found = patterns if valley <= limits.valley else 0
        return Reproduced(strength, generators, valley, found)

    def _artefacts(self, clusters: FittedClustering) -> Mapping[int, str]:
        limits = self.scorer.params.reproducibility
        return find_artefacts(clusters.labels, self.scorer.groups, limits.artefact)

    def _reproducibility(self, clusters: FittedClustering) -> float:
        """The number of patterns plus their prediction strength; the latter alone, which is at most
        1, where they are not found again."""
        again = self.reproduced(clusters)
        return again.patterns + again.strength if again.patterns > 1 else again.strength

    def _likelihood(self, clusters: FittedClustering) -> float:
        return -float(clusters.estimator.bic(self.points)) if clusters.kind == "gmm" else math.nan


def _silhouettes(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if not 1 < len(np.unique(labels)) < len(labels):
        return np.zeros(0)
    _, clusters, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    # One product of matrices is several times faster than scikit-learn's loop over the rows. Order
    # and precision of the sums are the same, so the silhouettes are too.
    rows = np.arange(len(labels))
    members = coo_array((np.ones(len(labels)), (clusters, rows))).tocsr()
    means = (members @ distances.T).T.astype(distances.dtype, copy=False)
    own = means[rows, clusters]
    own /= np.maximum(sizes[clusters] - 1, 1)
    means /= sizes
    means[rows, clusters] = np.inf
    nearest = means.min(1)
    with np.errstate(invalid="ignore"):  # of 0 / 0
        silhouettes = (nearest - own) / np.maximum(nearest, own)
    silhouettes[sizes[clusters] == 1] = 0
    return np.asarray(np.nan_to_num(silhouettes))


def _density_validity(points: np.ndarray, labels: np.ndarray) -> float:
    """The density-based validity (Moulavi et al. 2014) of clusters of at least two points.

    The value is that of hdbscan's ``validity_index``, which loops over the pairs of clusters.
    """
    clusters = np.unique(labels[labels != NOISE])
    internal, cores, sparseness = [], [], []
    for cluster in clusters:
        distances, core = distances_between_points(points, labels, cluster)
        nodes, edges = internal_minimum_spanning_tree(distances)
        internal.append(points[labels == cluster][nodes])
        cores.append(core[nodes])
        sparseness.append(edges.T[2].max())
    counts = [len(nodes) for nodes in internal]
    owners, core = np.repeat(range(len(clusters)), counts), np.concatenate(cores)
    nodes = np.concatenate(internal)
    reachable = np.maximum(cdist(nodes, nodes), np.maximum(core[:, None], core))
    reachable[owners[:, None] == owners] = np.inf
    starts = np.cumsum([0, *counts[:-1]])
    separation = np.minimum.reduceat(reachable.min(1), starts)
    validities = (separation - sparseness) / np.maximum(separation, sparseness)
    # Added one by one, as the library does.
    shares = np.bincount(labels[labels != NOISE])[clusters] / len(labels)
    return float(sum(shares * validities))


def _davies_bouldin(points: np.ndarray, labels: np.ndarray) -> float:
    """The index of Davies and Bouldin (1979), lower is better; NaN where all points are one, for
    which the library gives the best value."""
    if not 1 < len(np.unique(labels)) < len(labels) or not np.ptp(points, axis=0).any():
        return math.nan
    return float(davies_bouldin_score(points, labels))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
