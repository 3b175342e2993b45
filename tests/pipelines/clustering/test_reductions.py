from __future__ import annotations

import multiprocessing
import warnings

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from borderline.pipelines.clustering.reductions import Reduction, nearest_neighbours
from conftest import blobs

REDUCTIONS = [
    Reduction("umap", {"n_neighbors": 8, "min_dist": 0.05, "n_components": 3}),
    Reduction("tsne", {"perplexity": 10}),
    Reduction("pca", {"n_components": 3}),
    Reduction("none", {}),
    Reduction("pca", {"variance": 0.9}),
]
POINTS, LABELS = blobs(60, 40, 20)
NEIGHBOURS = nearest_neighbours(POINTS, 10)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=str)
def test_groups_stay_apart_and_new_points_join_their_own(reduction: Reduction) -> None:
    reduced = reduction.reduce(POINTS, NEIGHBOURS, seed=1, epochs=100)
    dimensions = {"tsne": 2, "none": 10, "pca": 2}.get(reduction.kind, 3)
    assert reduced.shape == (120, reduction.settings.get("n_components", dimensions))
    assert np.array_equal(reduced, reduction.reduce(POINTS, NEIGHBOURS, seed=1, epochs=100))
    centres = np.stack([reduced[label == LABELS].mean(0) for label in range(3)])

    def nearest(points: np.ndarray) -> list[int]:
        return np.linalg.norm(points[:, None] - centres, axis=2).argmin(1).tolist()

    assert nearest(reduced) == LABELS.tolist()
    new, new_labels = blobs(5, 5, 5, seed=9)
    assert nearest(reduction.place(new, POINTS, reduced)) == new_labels.tolist()
    # A fitted point is placed where it was.
    assert np.allclose(reduction.place(POINTS[:4], POINTS, reduced), reduced[:4], atol=1e-3)
    assert reduction.place(new[:0], POINTS, reduced).shape == (0, reduced.shape[1])


def test_tsne_has_three_dimensions_where_they_are_asked_for() -> None:
    few, reduction = POINTS[::4], Reduction("tsne", {"perplexity": 5, "n_components": 3})
    reduced = reduction.reduce(few, None, seed=1, epochs=10)
    assert reduced.shape == (30, 3)
    assert np.ptp(reduced, axis=0).all()
    assert reduction.place(POINTS[:5], few, reduced).shape == (5, 3)


def test_tsne_has_two_threads_in_a_process_without_children_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reduction = Reduction("tsne", {"perplexity": 10})
    here = reduction.reduce(POINTS, None, seed=1, epochs=10)
    # The workers of Dask are daemons.
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(here, reduction.reduce(POINTS, None, seed=1, epochs=10))


def test_other_seed_gives_another_map() -> None:
    one, other = (REDUCTIONS[0].reduce(POINTS, NEIGHBOURS, seed=s, epochs=20) for s in (1, 2))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=str)
def test_few_points_are_no_crash(reduction: Reduction) -> None:
    few = POINTS[::10]
    reduced = reduction.reduce(few, nearest_neighbours(few, 25), seed=0, epochs=10)
    assert len(reduced) == 12
    assert np.isfinite(reduced).all()


def test_exact_neighbours_are_those_of_all_pairs_and_begin_with_the_row_itself() -> None:
    points = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    points[7] = points[3]  # a twin is a neighbour, not the row itself
    rows, distances = nearest_neighbours(points, 6)
    all_pairs = pairwise_distances(points, metric="cosine")
    assert rows[:, 0].tolist() == list(range(60))
    assert rows[7, 1] == 3
    assert np.allclose(distances, np.sort(all_pairs, axis=1)[:, :6], atol=1e-5)
    assert (distances >= 0).all()


def test_no_more_neighbours_than_rows() -> None:
    rows, _ = nearest_neighbours(np.eye(4, dtype=np.float32), 10)
    assert rows.shape == (4, 4)


def test_unit_vectors_have_the_neighbours_that_cosines_have() -> None:
    points = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    by_cosine = nearest_neighbours(points, 10)
    by_unit_vectors = nearest_neighbours(points, 10, most_by_cosine=100)
    assert np.array_equal(by_cosine[0], by_unit_vectors[0])
    assert np.allclose(by_cosine[1], by_unit_vectors[1], atol=1e-5)


NOISE = np.random.default_rng(0).normal(size=(20, 5))
ALIKE = {
    "ones": np.ones((20, 5), dtype=np.float32),
    "zeros": np.zeros((20, 5), dtype=np.float32),
    "nearly ones": 1 + 1e-9 * NOISE,
    "rounded": (1e5 + 1e-3 * NOISE).astype(np.float32),
    "one number": np.abs(NOISE[:, :1]),
}


@pytest.mark.parametrize("points", ALIKE.values(), ids=list(ALIKE))
@pytest.mark.parametrize("reduction", REDUCTIONS[:3], ids=str)
def test_images_that_are_not_told_apart_lie_at_one_place(
    reduction: Reduction, points: np.ndarray
) -> None:
    reduced = reduction.reduce(points, nearest_neighbours(points, 10), seed=0, epochs=10)
    assert len(reduced) == 20
    assert not reduced.any()
