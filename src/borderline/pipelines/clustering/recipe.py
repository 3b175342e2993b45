"""One way to cluster embeddings: a UMAP reduction, then a Gaussian mixture (Gomes et al. 2024)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.mixture import GaussianMixture


@dataclass(frozen=True)
class Recipe:
    """Settings of one UMAP and one Gaussian mixture.

    Attributes:
        n_neighbors: UMAP's neighbourhood.
        min_dist: UMAP's smallest distance.
        n_components: Dimensions of the reduced space.
        n_clusters: Components of the mixture.
    """

    n_neighbors: int
    min_dist: float
    n_components: int
    n_clusters: int

    def reduce(self, embeddings: np.ndarray, seed: int) -> np.ndarray:
        """Reduce embeddings with UMAP on cosine distances.

        Args:
            embeddings: Shape (N, D).
            seed: Seed of UMAP; with it UMAP runs on one thread and repeats bit for bit.

        Returns:
            Shape (N, n_components), float64.
        """
        import umap  # compiles for seconds, which only a search should wait for

        reducer = umap.UMAP(
            n_neighbors=self.n_neighbors,
            min_dist=self.min_dist,
            n_components=self.n_components,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*connected components.*")
            return np.asarray(reducer.fit_transform(embeddings), dtype=np.float64)

    def cluster(self, reduced: np.ndarray, seed: int) -> np.ndarray:
        """Cluster reduced embeddings with a Gaussian mixture of full covariances.

        Args:
            reduced: Shape (N, n_components).
            seed: Seed of the k-means++ start.

        Returns:
            Labels, shape (N,), numbered from 0 by falling size of the cluster, none of them empty.
        """
        mixture = GaussianMixture(
            self.n_clusters, covariance_type="full", init_params="k-means++", random_state=seed
        )
        return by_size(mixture.fit_predict(reduced))


def by_size(labels: np.ndarray) -> np.ndarray:
    """Renumber clusters from 0 by falling size.

    Args:
        labels: Any integers, shape (N,).

    Returns:
        Labels of the same partition, shape (N,); equal sizes keep their former order.
    """
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[inverse]


def score_clusters(reduced: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Scores in the reduced space, the convention of Gomes et al. 2024.

    Args:
        reduced: Shape (N, d).
        labels: Shape (N,), from 2 to N - 1 clusters.

    Returns:
        ``silhouette`` in [-1, 1], the higher the better; ``davies_bouldin``, at least 0, the lower
        the better.
    """
    return {
        "silhouette": float(silhouette_score(reduced, labels)),
        "davies_bouldin": float(davies_bouldin_score(reduced, labels)),
    }
