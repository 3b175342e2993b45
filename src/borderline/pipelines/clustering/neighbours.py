"""The graph of nearest neighbours that all reductions of the same embeddings share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

# Up to here all pairs are compared in seconds, less than the approximate search takes to compile.
_MOST_EXACT = 20_000


class Neighbours(NamedTuple):
    """The nearest rows of each row by cosine distance, itself first.

    Attributes:
        rows: Shape (N, k).
        distances: Shape (N, k), float32, in [0, 2], rising along each row.
    """

    rows: np.ndarray
    distances: np.ndarray


def nearest_neighbours(
    embeddings: np.ndarray, k: int, seed: int, *, most_exact: int = _MOST_EXACT
) -> Neighbours:
    """Find the k nearest rows of each row: exactly, or with NN-descent where there are many.

    Args:
        embeddings: Shape (N, D).
        k: Neighbours of each row, itself among them; at most N are found.
        seed: Seed of the approximate search.
        most_exact: The most rows of which all pairs are compared.
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
