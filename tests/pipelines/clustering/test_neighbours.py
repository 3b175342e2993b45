from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances

from borderline.pipelines.clustering.neighbours import nearest_neighbours


def test_exact_neighbours_are_those_of_all_pairs_and_begin_with_the_row_itself() -> None:
    points = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    points[7] = points[3]  # a twin is a neighbour, not the row itself
    rows, distances = nearest_neighbours(points, 6, seed=0)
    all_pairs = pairwise_distances(points, metric="cosine")
    assert rows[:, 0].tolist() == list(range(60))
    assert rows[7, 1] == 3
    assert np.allclose(distances, np.sort(all_pairs, axis=1)[:, :6], atol=1e-5)
    assert (distances >= 0).all()


def test_no_more_neighbours_than_rows() -> None:
    rows, _ = nearest_neighbours(np.eye(4, dtype=np.float32), 10, seed=0)
    assert rows.shape == (4, 4)


def test_approximate_neighbours_are_nearly_the_exact_ones_and_repeat() -> None:
    points = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    exact, _ = nearest_neighbours(points, 10, seed=0)
    approximate, _ = nearest_neighbours(points, 10, seed=0, most_exact=100)
    again, _ = nearest_neighbours(points, 10, seed=0, most_exact=100)
    assert np.array_equal(approximate, again)
    kept = [len(set(a) & set(b)) / 10 for a, b in zip(exact, approximate, strict=True)]
    assert np.mean(kept) > 0.9
