from __future__ import annotations

import numpy as np
import pytest

from borderline.pipelines.clustering.neighbours import nearest_neighbours
from borderline.pipelines.clustering.reductions import Reduction
from conftest import blobs

REDUCTIONS = [
    Reduction("umap", {"n_neighbors": 8, "min_dist": 0.05, "n_components": 3}),
    Reduction("tsne", {"perplexity": 10}),
    Reduction("pca", {"n_components": 3}),
    Reduction("none", {}),
]
POINTS, LABELS = blobs(60, 40, 20)
NEIGHBOURS = nearest_neighbours(POINTS, 10, seed=0)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda reduction: reduction.kind)
def test_groups_stay_apart_and_new_points_join_their_own(reduction: Reduction) -> None:
    reduced = reduction.reduce(POINTS, NEIGHBOURS, seed=1, epochs=100)
    assert reduced.shape == (120, {"tsne": 2, "none": 10}.get(reduction.kind, 3))
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


def test_other_seed_gives_another_map() -> None:
    one, other = (REDUCTIONS[0].reduce(POINTS, NEIGHBOURS, seed=s, epochs=20) for s in (1, 2))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda reduction: reduction.kind)
def test_few_points_are_no_crash(reduction: Reduction) -> None:
    few = POINTS[::10]
    reduced = reduction.reduce(few, nearest_neighbours(few, 25, seed=0), seed=0, epochs=10)
    assert len(reduced) == 12
    assert np.isfinite(reduced).all()
