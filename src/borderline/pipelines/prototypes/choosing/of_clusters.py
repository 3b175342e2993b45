"""Selections of one image of each cluster, for many labellings of the same images at once.

The labellings are permutations of each other, as the null hypothesis of shuffled clusters needs
them: shape (B, n), with -1 for noise. All functions return rows of shape (B, K), in the order of
the clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.distance import cdist

from borderline.pipelines.prototypes.choosing.candidates import (
    NOISE,
    Candidates,
    cosine_distances,
    directions,
)

_EMBEDDING = "_embedding"
_COLUMNS = 256
_TIED = 1e-10


def select_of_clusters(
    selection: str, candidates: Candidates, labels: np.ndarray, seed: int
) -> np.ndarray:
    """The rows of a selection for each labelling; ``seed`` is that of ``random``."""
    rule = selection.removesuffix(_EMBEDDING)
    in_embedding = selection != rule
    clusters = np.unique(labels[0][labels[0] != NOISE])
    if rule == "medoid":
        sums = _sums_of_cosines if in_embedding else _sums_of_distances
        return _medoids(candidates, labels, clusters, sums)
    if rule == "random":
        return np.array([random_members(members(row, clusters), seed) for row in labels])
    if rule == "centroid":
        points = candidates.embeddings if in_embedding else candidates.reduced
        return np.array(
            [_centroids(points, members(row, clusters), in_embedding) for row in labels]
        )
    distances = candidates.cosine_distances if in_embedding else candidates.reduced_distances
    return _densest(distances, labels, clusters)


def members(labels: np.ndarray, clusters: np.ndarray) -> list[np.ndarray]:
    """The rows of each cluster, from labels (n,)."""
    return [np.flatnonzero(labels == cluster) for cluster in clusters]


def random_members(groups: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """A random row of each cluster, (K,)."""
    random = np.random.default_rng(seed)
    return np.array([random.choice(rows) for rows in groups])


def _medoids(
    candidates: Candidates,
    labels: np.ndarray,
    clusters: np.ndarray,
    sums_of: Callable[[Candidates, np.ndarray], np.ndarray],
) -> np.ndarray:
    # One matrix product gives the sums of all clusters of several labellings.
    parts = []
    for block in np.array_split(labels, -(-len(labels) * len(clusters) // _COLUMNS)):
        inside = block[:, None] == clusters[:, None]
        sums = sums_of(candidates, inside.reshape(-1, len(candidates)).astype(np.float64))
        sums = np.where(inside, sums.reshape(inside.shape), np.inf)
        # Both images of a cluster of two have the same sum. Rounding must not choose between them.
        slack = _TIED * inside.sum(-1, keepdims=True)
        parts.append((sums <= sums.min(-1, keepdims=True) + slack).argmax(-1))
    return np.concatenate(parts)


def _sums_of_distances(candidates: Candidates, inside: np.ndarray) -> np.ndarray:
    return np.asarray(inside @ candidates.reduced_distances)


def _sums_of_cosines(candidates: Candidates, inside: np.ndarray) -> np.ndarray:
    # The sum of the cosine distances to n directions is n minus the product with their sum.
    vectors = candidates.directions
    return np.asarray(inside.sum(1, keepdims=True) - (inside @ vectors) @ vectors.T)


def _centroids(
    points: np.ndarray, groups: Sequence[np.ndarray], in_embedding: bool
) -> list[np.intp]:
    gaps = _cosine if in_embedding else cdist
    means = [points[rows].mean(0, keepdims=True) for rows in groups]
    return [
        rows[gaps(points[rows], mean).argmin()] for rows, mean in zip(groups, means, strict=True)
    ]


def _cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return cosine_distances(directions(first), directions(second))


def _densest(distances: np.ndarray, labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    # One labelling does not pay for the lists of neighbours.
    most = min(round(2 * len(distances) ** (2 / 3)), len(distances)) if len(labels) > 1 else 0
    near = nearest_rows(distances, most)
    groups = [members(row, clusters) for row in labels]
    return np.array([[densest(distances, rows, near) for rows in group] for group in groups])


def nearest_rows(distances: np.ndarray, count: int) -> np.ndarray:
    """The nearest images of each image, itself among them, the nearest first: (n, count)."""
    near = np.empty((len(distances), count), dtype=np.int32)
    if count == 0:
        return near
    for start in range(0, len(distances), _COLUMNS):
        block = distances[start : start + _COLUMNS]
        nearest = np.argpartition(block, count - 1, axis=1)[:, :count]
        order = np.take_along_axis(block, nearest, 1).argsort(1)
        near[start : start + _COLUMNS] = np.take_along_axis(nearest, order, 1)
    return near


def densest(distances: np.ndarray, rows: np.ndarray, near: np.ndarray) -> int:
    """The row of a cluster with the nearest k-th neighbour in the cluster.

    Args:
        distances: Of all images, (n, n).
        rows: The cluster, (m,).
        near: The nearest images of each image, (n, L), for a shorter search; L may be 0.
    """
    k = min(max(round(len(rows) ** 0.5), 1), len(rows) - 1)
    # A cluster whose images are spread at random has k neighbours among k n / m images.
    near = near[rows, : round(1.5 * k * len(distances) / len(rows)) + 8]
    if k * len(distances) < near.shape[1] * len(rows):
        inside = np.zeros(len(distances), dtype=bool)
        inside[rows] = True
        counts = inside.take(near).cumsum(1, dtype=np.int16)
        found = counts[:, -1] > k
        kth = near[np.arange(len(rows)), (counts > k).argmax(1)]
        gaps = np.where(found, distances[rows, kth], np.inf)
        # The k-th neighbour of the other images is at least as far as the end of their list.
        if gaps.min() < distances[rows[~found], near[~found, -1]].min(initial=np.inf):
            return int(rows[gaps.argmin()])
    # Row k of the sorted distances: the point itself stands at 0.
    return int(rows[np.partition(distances[np.ix_(rows, rows)], k, axis=1)[:, k].argmin()])
