"""How similar new images are to the borderline ones."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

_NEAREST = 10


def typicality(fitted: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """How similar new images (M, D) are to others (N, D), in (0, 1]; outliers are below .05.

    The conformal p-value of their mean cosine distance to the nearest of the others: the share of
    the others with at least this distance.
    """
    if len(embeddings) == 0:
        return np.zeros(0)
    count = min(_NEAREST, len(fitted) - 1)
    near = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
    known = near.fit(fitted).kneighbors()[0].mean(1)
    new = near.kneighbors(embeddings)[0].mean(1)
    as_far = len(known) - np.searchsorted(np.sort(known), new, side="left")
    return np.asarray((1 + as_far) / (1 + len(known)))
