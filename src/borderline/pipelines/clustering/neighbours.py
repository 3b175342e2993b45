"""The graph of nearest neighbours that all UMAPs of the same embeddings share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from borderline.params import RunParams
from borderline.pipelines.clustering.params import ClusteringParams

# All pairs of so many rows are compared faster than the approximate search compiles.
_MOST_EXACT = 20_000


class Neighbours(NamedTuple):
    """The nearest rows of each row by cosine distance, the row itself first.

    Attributes:
        rows: Shape (N, k).
        distances: Shape (N, k), float32, in [0, 2], rising along each row.
    """

    rows: np.ndarray
    distances: np.ndarray


def neighbours_of(
    embeddings: np.ndarray, params: ClusteringParams, run: RunParams
) -> Neighbours | None:
    """The graph for all UMAPs of the search space; None where the search has no UMAP."""
    if "umap" not in params.reductions:
        return None
    return nearest_neighbours(embeddings, params.umap.n_neighbors[1], run.seed_for("neighbours"))


def nearest_neighbours(
    embeddings: np.ndarray, k: int, seed: int, *, most_exact: int = _MOST_EXACT
) -> Neighbours:
    """The k nearest rows of each of the embeddings (N, D), counting the row itself; at most N.

    The search is exact for up to ``most_exact`` rows, else it is NN-descent.
    """
    k = min(k, len(embeddings))
    if len(embeddings) <= most_exact:
        exact = NearestNeighbors(n_neighbors=k - 1, metric="cosine", algorithm="brute")
        distances, rows = exact.fit(embeddings).kneighbors()
        itself = np.arange(len(embeddings))[:, None]
        return Neighbours(
            np.hstack([itself, rows]),
            np.hstack([np.zeros_like(itself), distances.clip(0)]).astype(np.float32),
        )
    from umap.umap_ import nearest_neighbors  # compiles for seconds

    rows, distances, _ = nearest_neighbors(
        embeddings,
        k,
        metric="cosine",
        metric_kwds={},
        angular=False,
        random_state=np.random.RandomState(seed),
        n_jobs=1,
    )
    return Neighbours(rows, distances)
