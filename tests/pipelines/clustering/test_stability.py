from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.finalists import best_matches, measure_stability
from borderline.pipelines.clustering.recipe import ClusterModel, Recipe
from borderline.pipelines.clustering.reductions import Reduction
from conftest import blobs, clustering_params

PARAMS = clustering_params().stability


def fitted(points: np.ndarray, clusters: int, run: RunParams) -> ClusterModel:
    recipe = Recipe(Reduction("none", {}), Clustering("kmeans", {"n_clusters": clusters}))
    model = recipe.fit(points, None, clustering_params(), run)
    assert model is not None
    return model


def test_similarity_with_the_best_match_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, -1])
    others = np.array([5, 5, 7, 7, -1, 7])
    # 0: {0,1,2} with {0,1}: 2 of 3. 1: {3,4} with {2,3,5}: 1 of 4. 2 is not there.
    similarity = best_matches(labels, others, 3)
    assert similarity[:2].tolist() == pytest.approx([2 / 3, 1 / 4])
    assert np.isnan(similarity[2])
    assert best_matches(labels, np.full(6, -1), 2).tolist() == [0, 0]
    assert best_matches(labels, labels, 2).tolist() == [1, 1]


def test_similarities_are_those_of_pairs_of_clusters() -> None:
    labels, others = np.random.default_rng(0).integers(-1, 6, (2, 200))
    for cluster, similarity in enumerate(best_matches(labels, others, 6)):
        here = labels == cluster
        shares = [((others == n) & here).sum() / ((others == n) | here).sum() for n in range(6)]
        assert similarity == max(shares)


def test_planted_groups_are_stable_and_pieces_of_one_cloud_are_not(run: RunParams) -> None:
    points, _ = blobs(60, 40, 20)
    groups = measure_stability(fitted(points, 3, run), PARAMS, run)
    assert groups.over_seeds.tolist() == [1, 1]
    assert (groups.over_resamples == 1).all()
    assert (groups.of_clusters == 1).all()
    assert groups.jaccard.shape == (4, 3)
    cloud = np.random.default_rng(0).normal(size=(120, 10)).astype(np.float32)
    pieces = measure_stability(fitted(cloud, 6, run), PARAMS, run)
    assert pieces.over_resamples.mean() < 0.6
    assert (pieces.of_clusters < 0.75).all()


def test_a_split_group_is_told_from_its_stable_neighbours(run: RunParams) -> None:
    points, truth = blobs(80, 40, 40)
    model = fitted(points, 4, run)
    stability = measure_stability(model, PARAMS, run).of_clusters
    split = {int(label) for label in model.clusters.labels[truth == 0]}
    assert len(split) == 2
    whole = [value for cluster, value in enumerate(stability) if cluster not in split]
    assert min(whole) > max(stability[list(split)])


def test_no_more_images_than_asked_are_fitted_again(run: RunParams) -> None:
    points, _ = blobs(60, 40, 20)
    model = fitted(points, 3, run)
    fits: list[int] = []

    class Counted(Recipe):
        def fit(self, embeddings: np.ndarray, *arguments: object) -> ClusterModel | None:
            fits.append(len(embeddings))
            return super().fit(embeddings, *arguments)  # type: ignore[arg-type]

    counted = replace(model, recipe=Counted(model.recipe.reduction, model.recipe.clustering))
    few = PARAMS.model_copy(update={"images": 50})
    assert (measure_stability(counted, few, run).over_resamples == 1).all()
    assert fits == [50] * 6
    fits.clear()
    measure_stability(counted, PARAMS, run)
    assert fits[:2] == [120, 120]
    assert all(60 < count < 90 for count in fits[2:]), "about 63 % of them"


def test_stability_repeats(run: RunParams) -> None:
    cloud = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    one, other = (measure_stability(fitted(cloud, 4, run), PARAMS, run) for _ in range(2))
    assert np.array_equal(one.over_resamples, other.over_resamples)
    assert np.array_equal(one.jaccard, other.jaccard, equal_nan=True)
    assert one.as_row()["ari_resamples"] == one.over_resamples.mean()
