"""Which images stand for the patterns: one way to choose them a function.

The first ways choose one image of each cluster, in the space that was clustered or, with
``_embedding`` in their name, by cosine distance in the model's embedding. The others choose as many
over all clusters at once, whose labels they do not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import kmedoids
import numpy as np
from scipy.spatial.distance import cdist

from borderline.pipelines.prototypes.candidates import Candidates, cosine_distances, directions
from borderline.pipelines.prototypes.mmd_critic import choose_prototypes

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
    random = np.random.default_rng(seed)
    way = selection.removesuffix(_EMBEDDING)
    in_embedding = selection != way
    rows = []
    for cluster in clusters:
        members = np.flatnonzero(candidates.labels == cluster)
        if way == "random":
            rows.append(random.choice(members))
        else:
            points = (candidates.embeddings if in_embedding else candidates.reduced)[members]
            rows.append(members[_WAYS[way](points, _cosine if in_embedding else cdist)])
    return np.array(rows)


Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of points (n, d) to points (m, d): shape (n, m)."""


def medoid(points: np.ndarray, distances: Distances) -> int:
    """The point with the smallest sum of distances to all: the prototype of Gomes et al. 2024.

    Args:
        points: Of one cluster, shape (n, d).
        distances: How they are measured.

    Returns:
        A row, the first of equals.
    """
    return int(distances(points, points).sum(1).argmin())


def nearest_to_mean(points: np.ndarray, distances: Distances) -> int:
    """The point nearest to the mean of all; as ``medoid`` takes and gives them."""
    return int(distances(points, points.mean(0, keepdims=True))[:, 0].argmin())


def densest(points: np.ndarray, distances: Distances) -> int:
    """The point whose k-th neighbour is nearest, k the root of n (Loftsgaarden, Quesenberry 1965).

    As ``medoid`` takes and gives them.
    """
    k = min(max(round(len(points) ** 0.5), 1), len(points) - 1)
    # Row k of the sorted distances: the point itself stands at 0.
    return int(np.partition(distances(points, points), k, axis=1)[:, k].argmin())


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
    best = min(ends, key=lambda end: end.loss)
    return np.sort(best.medoids.astype(np.int64))


def _cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return cosine_distances(directions(first), directions(second))


_WAYS = {"medoid": medoid, "centroid": nearest_to_mean, "density": densest}
