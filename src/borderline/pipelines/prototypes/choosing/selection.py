"""Which images stand for the patterns: one way to choose them a function.

The first ways choose one image of each cluster, in the space that was clustered or, with
``_embedding`` in their name, by cosine distance in the model's embedding:

- ``medoid``: the one with the smallest sum of distances to the others; in the space that was
  clustered, the prototype of Gomes et al. 2024.
- ``centroid``: the one nearest to the mean.
- ``density``: the one whose k-th neighbour is nearest, k the root of the cluster's size
  (Loftsgaarden and Quesenberry 1965).
- ``random``: any.

The others choose as many over all clusters at once, whose labels they do not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import kmedoids
import numpy as np
from scipy.spatial.distance import cdist

from borderline.pipelines.prototypes.choosing.candidates import (
    Candidates,
    cosine_distances,
    directions,
)
from borderline.pipelines.prototypes.choosing.mmd_critic import choose_prototypes

Selection = Literal[
    "medoid",
    "medoid_embedding",
    "centroid",
    "centroid_embedding",
    "density",
    "density_embedding",
    "random",
    "k_medoids",
    "mmd_critic",
]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
OVER_ALL: tuple[Selection, ...] = ("k_medoids", "mmd_critic")
"""Those that know no clusters."""

_EMBEDDING = "_embedding"
_RANDOM_STARTS = 4


Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of points (n, d) to points (m, d): shape (n, m)."""


def select(selection: Selection, candidates: Candidates, seed: int) -> np.ndarray:
    """Choose as many prototypes as there are clusters.

    Args:
        selection: The way to choose.
        candidates: What to choose from.
        seed: For ``random`` and for the starts of ``k_medoids``.

    Returns:
        Rows among the candidates, shape (K,), in the order of the clusters where each has one;
        empty when there are no clusters.
    """
    clusters = candidates.clusters
    if len(clusters) == 0:
        return np.zeros(0, dtype=np.int64)
    if selection == "k_medoids":
        return k_medoids(candidates.cosine_distances, len(clusters), seed)
    if selection == "mmd_critic":
        return choose_prototypes(candidates.cosine_distances, len(clusters))
    way = selection.removesuffix(_EMBEDDING)
    in_embedding = selection != way
    members = [np.flatnonzero(candidates.labels == cluster) for cluster in clusters]
    if way == "centroid":
        points = candidates.embeddings if in_embedding else candidates.reduced
        return _nearest_to_means(points, members, _cosine if in_embedding else cdist)
    if way == "random":
        random = np.random.default_rng(seed)
        return np.array([random.choice(own) for own in members])
    distances = candidates.cosine_distances if in_embedding else candidates.reduced_distances
    if way == "medoid":
        return _medoids(distances, candidates.labels, members)
    return np.array([own[_densest(distances[np.ix_(own, own)])] for own in members])


def _medoids(distances: np.ndarray, labels: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    # One product for the sums of all clusters, which is much faster than a part of the matrix each.
    sums = distances @ np.stack([labels == labels[own[0]] for own in members], axis=1)
    return np.array([own[sums[own, i].argmin()] for i, own in enumerate(members)])


def _nearest_to_means(points: np.ndarray, members: list[np.ndarray], gaps: Distances) -> np.ndarray:
    rows = []
    for own in members:
        mean = points[own].mean(0, keepdims=True)
        rows.append(own[gaps(points[own], mean)[:, 0].argmin()])
    return np.array(rows)


def _densest(distances: np.ndarray) -> int:
    k = min(max(round(len(distances) ** 0.5), 1), len(distances) - 1)
    # Row k of the sorted distances: the point itself stands at 0.
    return int(np.partition(distances, k, axis=1)[:, k].argmin())


def k_medoids(distances: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The images with the smallest sum of distances from every image to its nearest one.

    By FasterPAM (Schubert and Rousseeuw 2021), the best from the greedy start of PAM and from a few
    random ones. With similarity 1 - distance this is the maximum of the facility location, up to a
    local optimum.

    Args:
        distances: Of each image to each, shape (n, n).
        count: K, at most n.
        seed: Of the random starts.

    Returns:
        Rows in order, shape (K,).
    """
    ends = [
        kmedoids.fasterpam(distances, count, init=start, random_state=(seed + i) % 2**32, n_cpu=1)
        for i, start in enumerate(["build", *["random"] * _RANDOM_STARTS])
    ]
    best = min(ends, key=lambda end: end.loss).medoids.astype(np.int64)
    # Where images are alike, it may end with fewer: the worst served others fill up.
    worst = np.argsort(-distances[:, best].min(1), kind="stable")
    others = worst[~np.isin(worst, best)][: count - len(np.unique(best))]
    return np.sort(np.concatenate([np.unique(best), others]))


def _cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return cosine_distances(directions(first), directions(second))
