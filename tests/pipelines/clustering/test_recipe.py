from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from borderline.pipelines.clustering.recipe import Recipe, by_size, score_clusters

RECIPE = Recipe(n_neighbors=8, min_dist=0.05, n_components=3, n_clusters=3)


def blobs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups in three directions, as cosine distance tells them apart."""
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [60, 40, 20])
    centres = np.eye(3, 10)[labels] * 5
    return (centres + random.normal(0, 0.3, (120, 10))).astype(np.float32), labels


def test_recipe_finds_planted_groups_and_repeats_bit_for_bit() -> None:
    points, truth = blobs()
    reduced = RECIPE.reduce(points, seed=1)
    assert reduced.shape == (120, 3)
    assert np.array_equal(reduced, RECIPE.reduce(points, seed=1))
    labels = RECIPE.cluster(reduced, seed=1)
    assert adjusted_rand_score(truth, labels) == 1
    assert np.bincount(labels).tolist() == [60, 40, 20]
    assert score_clusters(reduced, labels)["silhouette"] > 0.5


def test_renumbering_keeps_the_partition_and_sorts_by_size() -> None:
    labels = np.array([7, 7, 2, 2, 2, 5])
    assert by_size(labels).tolist() == [1, 1, 0, 0, 0, 2]
    random = np.random.default_rng(0).integers(0, 5, 100)
    assert adjusted_rand_score(random, by_size(random)) == 1
    sizes = np.bincount(by_size(random))
    assert (np.diff(sizes) <= 0).all()


def test_scores_of_known_clusters() -> None:
    apart = np.array([[0.0, 0], [0, 0.01], [100, 0], [100, 0.01]])
    good = score_clusters(apart, np.array([0, 0, 1, 1]))
    bad = score_clusters(apart, np.array([0, 1, 0, 1]))
    assert good["silhouette"] == pytest.approx(1, abs=1e-3)
    assert bad["silhouette"] < 0
    assert good["davies_bouldin"] < 0.01 < bad["davies_bouldin"]
